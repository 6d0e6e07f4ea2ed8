//! Policies that come with the program.

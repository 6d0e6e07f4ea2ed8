//! The policies one process serves: words on the command line become sockets.

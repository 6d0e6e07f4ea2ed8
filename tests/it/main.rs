//! What the running gate promises, tested through its front door: the real binary, real Unix
//! sockets, and an engine that records every byte. No Docker is needed.
//!
//! | chapter | what it promises |
//! |---|---|
//! | `forward` | what is allowed reaches Docker unchanged in meaning, and so does the answer |
//! | `deny` | what is not allowed never reaches Docker, and the caller learns why |
//! | `tunnel` | attach and exec carry bytes both ways, half-closes included |
//! | `cli` | what the command line says, where, and with which exit code |
//! | `limits` | heads, bodies, time and connections are bounded |
//! | `threads` | threads share the work, and none has a timer to look after while nothing is to be done |
//! | `audit` | every call leaves the record it owes |
//! | `remembered` | what was asked is not asked again while the engine's events are heard, and what is gone is forgotten |
//! | `replay` | every request that real clients were seen to send passes |
//! | `bypass` | an attack catalogue and a random walk: the engine parses nothing that was not allowed |
//! | `visible` | a policy that shows some objects only shows no others |
//! | `agree` | the gate and `quaygate explain` decide alike |
//! | `policies` | the ready policies let their services work, and nobody do more |
//! | `docs` | what the documentation lists is what there is |
//! | `corpus` | what must hold for any bytes holds for the inputs that fuzzing found worth keeping |
//! | `godiff` | Go's `net/http` finds the same requests in the same bytes, and in what is sent |
//! | `architecture` | imports point downwards, pure code stays pure, files stay short |

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "a test that cannot go on says so by panicking, and prints what a human needs"
)]

#[path = "../fuzz/checks/lib.rs"]
#[expect(unreachable_pub, reason = "a crate of its own for the fuzz targets")]
mod checks;
mod support;

mod agree;
mod architecture;
mod audit;
mod bypass;
mod cli;
mod corpus;
mod deny;
mod docs;
mod forward;
mod godiff;
mod limits;
mod policies;
mod remembered;
mod replay;
mod target;
mod threads;
mod tunnel;
mod visible;

//! Our own questions to the engine, on hyper's client.

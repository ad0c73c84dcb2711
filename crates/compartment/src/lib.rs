//! Named Redis databases with a contract: typed stores over Redis or memory.

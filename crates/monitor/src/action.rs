//! What a user can ask for.

use crate::screens::Screen;

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Show(Screen),
    NextScreen,
    PreviousScreen,
    /// So many rows down, or up.
    Go(isize),
    /// So many screens down, or up.
    Turn(isize),
    Open,
    Back,
    Sort,
    Reverse,
    Filter,
    Type(char),
    Erase,
    EraseAll,
    Accept,
    Pause,
    Refresh,
    Redraw,
    Help,
    Mark,
    MarkAll,
    Ask(Verb),
    Yes,
    Suspend,
    Quit,
}

/// A change that a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// `R`: try failed documents or dead letters again.
    Retry,
    /// `P`
    Pause,
    /// `U`
    Resume,
    /// `X`: cancel a batch, or remove dead letters.
    Remove,
}

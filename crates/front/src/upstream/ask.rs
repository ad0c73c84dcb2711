//! A request of the front itself: its reply as a future.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::gather::{Gather, Lost};

#[derive(Debug, Default)]
struct State {
    reply: Option<Result<Bytes, Lost>>,
    waker: Option<Waker>,
}

#[derive(Debug, Default)]
struct Cell(RefCell<State>);

impl Cell {
    fn settle(&self, reply: Result<Bytes, Lost>) {
        let mut state = self.0.borrow_mut();
        state.reply = Some(reply);
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }
}

impl Gather for Cell {
    fn reply(&self, _: u32, reply: &[u8]) {
        self.settle(Ok(Bytes::copy_from_slice(reply)));
    }

    fn is_before_messages(&self) -> bool {
        true
    }

    fn lost(&self, _: u32, lost: &Lost) {
        self.settle(Err(lost.clone()));
    }
}

/// The reply to come.
#[derive(Debug)]
pub(crate) struct Ask(Rc<Cell>);

/// Who takes the reply, and the reply to come.
pub(crate) fn asked() -> (Rc<dyn Gather>, Ask) {
    let cell = Rc::new(Cell::default());
    (cell.clone(), Ask(cell))
}

impl Future for Ask {
    type Output = Result<Bytes, Lost>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.0.borrow_mut();
        match state.reply.take() {
            Some(reply) => Poll::Ready(reply),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

//! Reasons for refusing an operation, and their conversion to errors.

use compartment_core::backend::BatchRefusal;
use compartment_core::{Contract, Error, ErrorKind};

use crate::stores::value::Value;

/// The reason why the stored value does not allow an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    WrongType { found: &'static str, wanted: &'static str },
    NotANumber,
    OutOfRange,
    Batch(BatchRefusal),
}

impl Refusal {
    pub(crate) fn wrong_type(found: &Value, wanted: &'static str) -> Self {
        Self::WrongType { found: found.type_name(), wanted }
    }

    pub(crate) fn into_error(
        self,
        contract: &Contract,
        operation: &'static str,
        key: &str,
    ) -> Error {
        let (kind, message) = match self {
            Self::Batch(refusal) => return refusal.error(contract, operation, key),
            Self::WrongType { found, wanted } => {
                (ErrorKind::WrongType, format!("the key holds {found}, not {wanted}"))
            }
            Self::NotANumber => {
                (ErrorKind::NotANumber, "the value is not a whole number".to_owned())
            }
            Self::OutOfRange => {
                (ErrorKind::NotANumber, "the sum leaves the range of 64-bit numbers".to_owned())
            }
        };
        contract.error(kind, operation, key, message)
    }
}

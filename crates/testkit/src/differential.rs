//! Random programs, run on two backends and compared answer by answer.

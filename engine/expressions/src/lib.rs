//! SQL scalar expressions over the columns of a batch.

//! TAKEN: another author is writing this file now; stories goes on with lists, many, questions, watching.

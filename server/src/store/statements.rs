//! The statements of an engine: a list of fixed ones, and the arguments of those that are composed.

use std::fmt;

use sqlx::{Encode, Type};

use super::{Result, StoreError};

/// Defines statements by name, and lists them all as `ALL`, so that a test can audit them.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$doc])* pub(super) const $name: &str = $sql;)*

        /// Every fixed statement that this engine can issue once its schema is complete.
        pub(in crate::store) const ALL: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}

pub(super) use statements;

/// The arguments of a composed statement. Each gets its position when it is bound.
pub(super) struct Arguments<A> {
    bound: A,
    /// The character that starts a placeholder.
    mark: char,
}

/// The placeholder of an argument, such as `$1`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placeholder {
    mark: char,
    position: usize,
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.mark, self.position)
    }
}

impl<A: sqlx::Arguments> Arguments<A> {
    pub(super) fn new(mark: char) -> Self {
        Self { bound: A::default(), mark }
    }

    /// Binds a value and returns its placeholder.
    pub(super) fn bind<T>(&mut self, value: T) -> Result<Placeholder>
    where
        T: for<'t> Encode<'t, A::Database> + Type<A::Database>,
    {
        self.bound.add(value).map_err(StoreError::internal)?;
        Ok(Placeholder { mark: self.mark, position: self.bound.len() })
    }

    pub(super) fn into_inner(self) -> A {
        self.bound
    }
}

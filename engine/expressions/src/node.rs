//! What a bound expression is made of. Every name is a column, every type is checked, every literal is read.

use std::collections::BTreeSet;

use arrow::array::ArrayRef;
use regex::Regex;
use sluice_core::column::ColumnKind;

pub(crate) use crate::calendar::Part;

/// A bound expression.
#[derive(Clone, Debug)]
pub enum Node {
    /// The column of this index among those that the expression reads.
    Column(usize),
    /// One value in normal form.
    Constant(ArrayRef),
    /// A function that is null where one of its arguments is.
    Call {
        /// The function.
        kernel: Kernel,
        /// What it is of.
        arguments: Vec<Self>,
    },
    /// All are true; of two at least.
    And(Vec<Self>),
    /// One is true; of two at least.
    Or(Vec<Self>),
    /// Whether it is null, true or false; never null itself.
    Is {
        /// What is asked.
        test: Test,
        /// Whether the answer is turned round.
        negated: bool,
        /// Of what it is asked.
        argument: Box<Self>,
    },
    /// Whether two values differ, where null differs from every value and not from null.
    Distinct {
        /// The two values.
        sides: Box<(Self, Self)>,
        /// Whether the answer is turned round.
        negated: bool,
    },
    /// The result of the first condition that is true.
    Case {
        /// Conditions with their results.
        branches: Vec<(Self, Self)>,
        /// The result where no condition is true.
        otherwise: Box<Self>,
    },
    /// The first that is not null.
    Coalesce(Vec<Self>),
    /// The least or the greatest of those that are not null.
    Extreme {
        /// The greatest, else the least.
        greatest: bool,
        /// Of what.
        arguments: Vec<Self>,
    },
}

/// What `IS` asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// Null.
    Null,
    /// True.
    True,
    /// False.
    False,
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `=`.
    Equal,
    /// `<>`.
    NotEqual,
    /// `<`.
    Less,
    /// `<=`.
    LessOrEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterOrEqual,
}

/// What two numbers are joined by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// `+`.
    Add,
    /// `-`.
    Subtract,
    /// `*`.
    Multiply,
    /// `/`, of floats.
    Divide,
    /// `%`, with the sign of the dividend.
    Remainder,
}

impl Arithmetic {
    /// How it is written.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }
}

/// Functions of one float.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloatFunction {
    /// `sqrt`.
    SquareRoot,
    /// `exp`.
    Exponential,
    /// `ln`.
    NaturalLogarithm,
    /// `log10`.
    DecimalLogarithm,
    /// `log2`.
    BinaryLogarithm,
}

/// Questions about one float.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloatTest {
    /// Is it NaN?
    Nan,
    /// Is it neither NaN nor infinite?
    Finite,
    /// Is it infinite?
    Infinite,
}

/// How a number becomes whole, or has fewer digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// Down.
    Floor,
    /// Up.
    Ceiling,
    /// Half away from zero, to so many digits after the point.
    Nearest(i32),
}

/// Functions of texts that give text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextFunction {
    /// `lower`.
    Lower,
    /// `upper`.
    Upper,
    /// `trim`, `ltrim`, `rtrim`.
    Trim {
        /// At the start.
        left: bool,
        /// At the end.
        right: bool,
    },
    /// `replace`.
    Replace,
    /// `substring`.
    Substring,
    /// `||`.
    Concatenate,
}

/// Questions about two texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextTest {
    /// `starts_with`.
    StartsWith,
    /// `ends_with`.
    EndsWith,
    /// `contains`.
    Contains,
}

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A year.
    Year,
    /// A quarter.
    Quarter,
    /// A month.
    Month,
    /// A week.
    Week,
    /// A day.
    Day,
    /// An hour.
    Hour,
    /// A minute.
    Minute,
    /// A second.
    Second,
}

/// A distance in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interval {
    /// Months of the calendar.
    pub months: i64,
    /// And so much time.
    pub nanoseconds: i128,
}

/// A list that values are looked up in.
#[derive(Clone, Debug)]
pub enum List {
    /// Of texts.
    Texts(BTreeSet<String>),
    /// Of whole numbers.
    Integers(BTreeSet<i128>),
}

/// A function that is null where one of its arguments is.
#[derive(Clone, Debug)]
pub enum Kernel {
    /// A comparison.
    Compare(Comparison),
    /// `NOT`.
    Not,
    /// `-x`.
    Negate,
    /// `abs`.
    Absolute,
    /// `sign`.
    Sign,
    /// Two numbers joined.
    Arithmetic {
        /// By what.
        operator: Arithmetic,
        /// What comes out.
        result: ColumnKind,
    },
    /// Another kind.
    Cast {
        /// The kind.
        target: ColumnKind,
        /// The bounds of narrower integers.
        range: Option<(i128, i128)>,
        /// Whether what does not fit is null instead of an error.
        is_try: bool,
    },
    /// A number made whole, or of fewer digits.
    Round(Rounding),
    /// A function of a float.
    Float(FloatFunction),
    /// `pow`.
    Power,
    /// A question about a float.
    FloatTest(FloatTest),
    /// Whether the text matches; `is_negated` for `NOT LIKE`.
    Matches {
        /// What it must match.
        pattern: Regex,
        /// Whether the answer is turned round.
        is_negated: bool,
    },
    /// Null instead of false where the list has a null.
    In {
        /// The list.
        list: List,
        /// Whether it has a null.
        has_null: bool,
    },
    /// A function of texts.
    Text(TextFunction),
    /// A question about two texts.
    TextTest(TextTest),
    /// Characters of a text.
    Characters,
    /// Bytes of a text.
    Bytes,
    /// A part of a date or time.
    Part {
        /// Which.
        part: Part,
        /// Seconds east of UTC of the calendar.
        offset: i64,
    },
    /// `date_trunc`.
    Truncate {
        /// To what.
        unit: Unit,
        /// Seconds east of UTC of the calendar.
        offset: i64,
    },
    /// `date_diff`.
    Difference {
        /// In what.
        unit: Unit,
        /// Seconds east of UTC of the calendar.
        offset: i64,
    },
    /// Days between two dates.
    DaysBetween,
    /// A date so many days later.
    AddDays {
        /// Earlier instead.
        is_negative: bool,
    },
    /// A date or time that far later.
    AddInterval(Interval),
}

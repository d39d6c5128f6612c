//! What a bound expression is made of. Every name is a column, every type is checked, every literal is read.

use std::collections::BTreeSet;

use arrow::array::ArrayRef;
use regex::Regex;
use sluice_core::column::ColumnKind;

pub(crate) use crate::calendar::Part;

/// A bound expression.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    /// The column of this index among those that the expression reads.
    Column(usize),
    /// One value in normal form.
    Constant(ArrayRef),
    /// A function that is null where one of its arguments is.
    Call { kernel: Kernel, arguments: Vec<Self> },
    /// All are true; of two at least.
    And(Vec<Self>),
    /// One is true; of two at least.
    Or(Vec<Self>),
    /// Whether it is null, true or false; never null itself.
    Is { test: Test, negated: bool, argument: Box<Self> },
    /// Whether two values differ, where null differs from every value and not from null.
    Distinct { sides: Box<(Self, Self)>, negated: bool },
    /// The result of the first condition that is true.
    Case { branches: Vec<(Self, Self)>, otherwise: Box<Self> },
    /// The first that is not null.
    Coalesce(Vec<Self>),
    /// The least or the greatest of those that are not null.
    Extreme { greatest: bool, arguments: Vec<Self> },
}

/// What `IS` asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    Null,
    True,
    False,
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What two numbers are joined by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Arithmetic {
    pub(crate) fn sign(self) -> &'static str {
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
pub(crate) enum FloatFunction {
    SquareRoot,
    Exponential,
    NaturalLogarithm,
    DecimalLogarithm,
    BinaryLogarithm,
}

/// Questions about one float.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FloatTest {
    Nan,
    Finite,
    Infinite,
}

/// How a number becomes whole, or has fewer digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rounding {
    Floor,
    Ceiling,
    /// Half away from zero, to so many digits after the point.
    Nearest(i32),
}

/// Functions of texts that give text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextFunction {
    Lower,
    Upper,
    Trim { left: bool, right: bool },
    Replace,
    Substring,
    Concatenate,
}

/// Questions about two texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextTest {
    StartsWith,
    EndsWith,
    Contains,
}

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Year,
    Quarter,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
}

/// A distance in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) months: i64,
    pub(crate) nanoseconds: i128,
}

/// A list that values are looked up in.
#[derive(Clone, Debug)]
pub(crate) enum List {
    Texts(BTreeSet<String>),
    Integers(BTreeSet<i128>),
}

/// A function that is null where one of its arguments is.
#[derive(Clone, Debug)]
pub(crate) enum Kernel {
    Compare(Comparison),
    Not,
    Negate,
    Absolute,
    Sign,
    Arithmetic {
        operator: Arithmetic,
        result: ColumnKind,
    },
    Cast {
        target: ColumnKind,
        range: Option<(i128, i128)>,
        is_try: bool,
    },
    Round(Rounding),
    Float(FloatFunction),
    Power,
    FloatTest(FloatTest),
    /// Whether the text matches; `is_negated` for `NOT LIKE`.
    Matches {
        pattern: Regex,
        is_negated: bool,
    },
    /// Null instead of false where the list has a null.
    In {
        list: List,
        has_null: bool,
    },
    Text(TextFunction),
    TextTest(TextTest),
    Characters,
    Bytes,
    Part {
        part: Part,
        offset: i64,
    },
    Truncate {
        unit: Unit,
        offset: i64,
    },
    Difference {
        unit: Unit,
        offset: i64,
    },
    /// Days between two dates.
    DaysBetween,
    /// A date so many days later.
    AddDays {
        is_negative: bool,
    },
    /// A date or time that far later.
    AddInterval(Interval),
}

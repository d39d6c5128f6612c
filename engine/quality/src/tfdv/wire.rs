//! Protobuf's wire format, as far as statistics need it: messages of doubles, floats, varints, strings and
//! messages.
//!
//! Reflection, which serves the schema, knows neither where in a file a message is damaged nor a bound on the
//! memory of a message; both matter for statistics, which other programs write and which may be large. A
//! field that is not known is skipped; one that occurs again joins what was read before, as protobuf defines
//! it. What is written is what protobuf's own writers write: fields by number, defaults left out.

use std::fmt;

/// What is wrong with the bytes, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// In bytes from the beginning.
    pub(crate) offset: usize,
    /// The message and field that were being read: `Histogram.buckets`; empty at the top.
    pub(crate) place: String,
    /// What was expected.
    pub(crate) what: &'static str,
}

impl Fault {
    pub(crate) fn new(offset: usize, what: &'static str) -> Self {
        Self { offset, place: String::new(), what }
    }

    /// The innermost message and field are what helps.
    pub(crate) fn within(mut self, message: &str, field: &str) -> Self {
        if self.place.is_empty() {
            self.place = format!("{message}.{field}");
        }
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offset, place, what } = self;
        if place.is_empty() {
            write!(formatter, "byte {offset}: {what}")
        } else {
            write!(formatter, "byte {offset}, in `{place}`: {what}")
        }
    }
}

/// Bytes with the place of the first of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes<'a> {
    bytes: &'a [u8],
    offset: usize,
}

/// A field as it stands on the wire.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value<'a> {
    offset: usize,
    content: Content<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Content<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Fixed32([u8; 4]),
    Length(Bytes<'a>),
}

impl<'a> Bytes<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    /// The next field and its number; `None` at the end.
    fn field(&mut self) -> Result<Option<(u32, Value<'a>)>, Fault> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let offset = self.offset;
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| (1..1 << 29).contains(number));
        let number = number.ok_or_else(|| Fault::new(offset, "no field has this number"))?;
        let content = match tag & 7 {
            0 => Content::Varint(self.varint()?),
            1 => Content::Fixed64(self.fixed()?),
            2 => Content::Length(self.length_delimited()?),
            5 => Content::Fixed32(self.fixed()?),
            _ => return Err(Fault::new(offset, "no field is stored in this way")),
        };
        Ok(Some((number, Value { offset, content })))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let Some((taken, rest)) = self.bytes.split_at_checked(length) else {
            return Err(Fault::new(self.offset, "cut short: a value reaches beyond the end of its message"));
        };
        self.bytes = rest;
        self.offset += length;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let offset = self.offset;
        self.take(N)?.try_into().map_err(|_| Fault::new(offset, "cut short"))
    }

    fn varint(&mut self) -> Result<u64, Fault> {
        let offset = self.offset;
        let mut value = 0_u64;
        for (index, byte) in self.bytes.iter().take(10).enumerate() {
            let part = u64::from(byte & 0x7f);
            if index == 9 && part > 1 {
                break;
            }
            value |= part << (7 * index);
            if byte & 0x80 == 0 {
                let _ = self.take(index + 1)?;
                return Ok(value);
            }
        }
        let is_short = self.bytes.len() < 10;
        Err(Fault::new(offset, if is_short { "cut short within a number" } else { "a number without end" }))
    }

    fn length_delimited(&mut self) -> Result<Self, Fault> {
        let start = self.offset;
        let length =
            usize::try_from(self.varint()?).map_err(|_| Fault::new(start, "a length that no file has"))?;
        let offset = self.offset;
        Ok(Self { bytes: self.take(length)?, offset })
    }
}

impl<'a> Value<'a> {
    fn bytes(self) -> Result<Bytes<'a>, Fault> {
        match self.content {
            Content::Length(bytes) => Ok(bytes),
            _ => Err(Fault::new(self.offset, "a text or message was expected, a number stands there")),
        }
    }
}

/// A message with fields of fixed numbers.
pub(crate) trait Message: Default {
    /// Its name in the format.
    const NAME: &'static str;

    /// Takes a field; one that is not known is left out.
    fn merge_field(&mut self, number: u32, value: Value<'_>) -> Result<(), Fault>;

    /// Appends the fields.
    fn write_fields(&self, out: &mut Vec<u8>);

    /// Adds what stands in the bytes.
    fn merge(&mut self, mut bytes: Bytes<'_>) -> Result<(), Fault> {
        while let Some((number, value)) = bytes.field()? {
            self.merge_field(number, value)?;
        }
        Ok(())
    }

    /// The message that the bytes hold.
    fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        let mut message = Self::default();
        message.merge(Bytes::new(bytes))?;
        Ok(message)
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write_fields(&mut out);
        out
    }
}

/// What a field can hold.
pub(crate) trait Field {
    fn merge(&mut self, value: Value<'_>) -> Result<(), Fault>;
    fn write(&self, number: u32, out: &mut Vec<u8>);
}

/// Scalars: a plain one is left out where it is the default, one in an `Option` only where there is none.
trait Scalar: Sized {
    fn read(value: Value<'_>) -> Result<Self, Fault>;
    fn is_default(&self) -> bool;
    fn put(&self, number: u32, out: &mut Vec<u8>);
}

/// Beyond this doubles, which the format uses for most counts, are no counts; sums of such do not overflow.
pub(crate) const MAX_COUNT: u64 = 1 << 53;

fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

fn put_tag(number: u32, wire_type: u64, out: &mut Vec<u8>) {
    put_varint((u64::from(number) << 3) | wire_type, out);
}

fn put_bytes(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    put_tag(number, 2, out);
    put_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

impl Scalar for u64 {
    fn read(value: Value<'_>) -> Result<Self, Fault> {
        match value.content {
            Content::Varint(count) if count <= MAX_COUNT => Ok(count),
            Content::Varint(_) => Err(Fault::new(value.offset, "a count that no data set has")),
            _ => Err(Fault::new(value.offset, "an integer was expected")),
        }
    }

    fn is_default(&self) -> bool {
        *self == 0
    }

    fn put(&self, number: u32, out: &mut Vec<u8>) {
        put_tag(number, 0, out);
        put_varint(*self, out);
    }
}

impl Scalar for f64 {
    fn read(value: Value<'_>) -> Result<Self, Fault> {
        match value.content {
            Content::Fixed64(bytes) => Ok(Self::from_le_bytes(bytes)),
            _ => Err(Fault::new(value.offset, "a double was expected")),
        }
    }

    fn is_default(&self) -> bool {
        self.to_bits() == 0
    }

    fn put(&self, number: u32, out: &mut Vec<u8>) {
        put_tag(number, 1, out);
        out.extend_from_slice(&self.to_le_bytes());
    }
}

impl Scalar for f32 {
    fn read(value: Value<'_>) -> Result<Self, Fault> {
        match value.content {
            Content::Fixed32(bytes) => Ok(Self::from_le_bytes(bytes)),
            _ => Err(Fault::new(value.offset, "a float was expected")),
        }
    }

    fn is_default(&self) -> bool {
        self.to_bits() == 0
    }

    fn put(&self, number: u32, out: &mut Vec<u8>) {
        put_tag(number, 5, out);
        out.extend_from_slice(&self.to_le_bytes());
    }
}

impl Scalar for String {
    fn read(value: Value<'_>) -> Result<Self, Fault> {
        let bytes = value.bytes()?;
        let text = std::str::from_utf8(bytes.bytes);
        text.map(str::to_owned).map_err(|_| Fault::new(bytes.offset, "a text is not UTF-8"))
    }

    fn is_default(&self) -> bool {
        self.is_empty()
    }

    fn put(&self, number: u32, out: &mut Vec<u8>) {
        put_bytes(number, self.as_bytes(), out);
    }
}

macro_rules! scalar_fields {
    ($($scalar:ty),*) => { $(
        impl Field for $scalar {
            fn merge(&mut self, value: Value<'_>) -> Result<(), Fault> {
                *self = Scalar::read(value)?;
                Ok(())
            }

            fn write(&self, number: u32, out: &mut Vec<u8>) {
                if !self.is_default() {
                    self.put(number, out);
                }
            }
        }

        impl Field for Option<$scalar> {
            fn merge(&mut self, value: Value<'_>) -> Result<(), Fault> {
                *self = Some(Scalar::read(value)?);
                Ok(())
            }

            fn write(&self, number: u32, out: &mut Vec<u8>) {
                if let Some(value) = self {
                    value.put(number, out);
                }
            }
        }
    )* };
}

scalar_fields!(u64, f64, f32, String);

impl Field for Vec<String> {
    fn merge(&mut self, value: Value<'_>) -> Result<(), Fault> {
        self.push(Scalar::read(value)?);
        Ok(())
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        self.iter().for_each(|text| text.put(number, out));
    }
}

impl<M: Message> Field for Option<M> {
    fn merge(&mut self, value: Value<'_>) -> Result<(), Fault> {
        self.get_or_insert_default().merge(value.bytes()?)
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        if let Some(message) = self {
            put_bytes(number, &message.to_bytes(), out);
        }
    }
}

impl<M: Message> Field for Vec<M> {
    fn merge(&mut self, value: Value<'_>) -> Result<(), Fault> {
        let mut message = M::default();
        message.merge(value.bytes()?)?;
        self.push(message);
        Ok(())
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        self.iter().for_each(|message| put_bytes(number, &message.to_bytes(), out));
    }
}

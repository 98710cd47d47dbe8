//! JSON with its fields in the order in which they are written, as vendors send them.
//!
//! `serde_json::Value` sorts keys; a gateway that scans a body for one field should meet real layouts in its tests.

use serde::Serialize;
use serde_json::value::RawValue;

/// A finished piece of JSON; nests in [`object!`] and in anything serializable.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub(crate) struct Json(Box<RawValue>);

impl Json {
    /// The text as it goes on the wire.
    pub(crate) fn text(&self) -> String {
        self.0.get().to_owned()
    }
}

/// Writes fields one after another; [`object!`] is its only user.
pub(crate) struct Fields(String);

impl Fields {
    pub(crate) fn new() -> Self {
        Self(String::from("{"))
    }

    pub(crate) fn push(&mut self, name: &str, value: &impl Serialize) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&text(name));
        self.0.push(':');
        self.0.push_str(&text(value));
    }

    pub(crate) fn close(mut self) -> Json {
        self.0.push('}');
        Json(RawValue::from_string(self.0).unwrap_or_default())
    }
}

/// JSON text of a value; `null` for one that JSON cannot hold.
pub(crate) fn text(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// `object! { "name": value, if condition => "name": value }`: a JSON object in this very order.
macro_rules! object {
    (@field $f:ident) => {};
    (@field $f:ident if $cond:expr => $name:literal : $value:expr $(, $($rest:tt)*)?) => {
        if $cond { $f.push($name, &$value); }
        $crate::json::object!(@field $f $($($rest)*)?);
    };
    (@field $f:ident $name:literal : $value:expr $(, $($rest:tt)*)?) => {
        $f.push($name, &$value);
        $crate::json::object!(@field $f $($($rest)*)?);
    };
    ($($body:tt)*) => {{
        #[allow(unused_mut)]
        let mut fields = $crate::json::Fields::new();
        $crate::json::object!(@field fields $($body)*);
        fields.close()
    }};
}
pub(crate) use object;

#[cfg(test)]
mod tests {
    #[test]
    fn fields_keep_the_order_in_which_they_are_written() {
        let inner = object! { "z": 1, if false => "y": 2, "a": None::<u8> };
        let outer = object! { "type": "x\n", "list": vec![inner] };
        assert_eq!(outer.text(), r#"{"type":"x\n","list":[{"z":1,"a":null}]}"#);
    }
}

//! Identifiers and literals, quoted by type and never by format!.
/// Displays as a quoted identifier: `"Weird""name"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ident(String);
impl Ident {
    pub fn new(name: impl Into<String>) -> Self {
        Ident(name.into())
    }
}
impl std::fmt::Display for Ident {
    fn fmt(&self, _f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        todo!()
    }
}
/// Displays as a string literal that needs no particular standard_conforming_strings: `E'it\'s'` form when a backslash is inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literal(String);
impl Literal {
    pub fn new(text: impl Into<String>) -> Self {
        Literal(text.into())
    }
}
impl std::fmt::Display for Literal {
    fn fmt(&self, _f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        todo!()
    }
}

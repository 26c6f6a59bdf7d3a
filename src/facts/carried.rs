//! What an import loses and the statements that bring it back (observed-import-logical.md 2).

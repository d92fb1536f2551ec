//! `choice!`: a setting that is one of a few words, each documented and each with its meaning.

/// Declares an enum of words and what each means to the part of the product that asks.
///
/// The words stand in the file as the snake_case form of the variants.
macro_rules! choice {
    (
        $(#[$meta:meta])*
        $name:ident: $target:ty {
            $( $(#[$word_meta:meta])* $word:ident => $value:expr, )+
        }
    ) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq,
            serde::Deserialize, serde::Serialize, schemars::JsonSchema,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $( $(#[$word_meta])* $word, )+
        }

        impl From<$name> for $target {
            fn from(choice: $name) -> Self {
                match choice {
                    $( $name::$word => $value, )+
                }
            }
        }
    };
}

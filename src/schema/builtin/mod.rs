//! Imports that are served from memory: declarations that real protos import without bringing
//! them along.
//!
//! The texts hold names, numbers and types only. They stand in for a missing import: a file of
//! the user, or of the application's reflection, with the same name always comes first.
//! `google/protobuf/*` is not here, the compiler of protos carries it.
//!
//! ```
//! use sidegate::schema::builtin;
//!
//! assert!(builtin::find("google/api/annotations.proto").is_some());
//! assert!(builtin::find("google/api/annotations").is_none());
//! ```

pub mod pb;
#[cfg(test)]
mod tests;

/// A proto file in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltinFile {
    /// Its import name.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        /// Every file, sorted by name.
        pub const FILES: &[BuiltinFile] = &[
            $(BuiltinFile { name: $name, text: include_str!($name) },)*
        ];
    };
}

files![
    "buf/validate/validate.proto",
    "gogoproto/gogo.proto",
    "google/api/annotations.proto",
    "google/api/auth.proto",
    "google/api/client.proto",
    "google/api/distribution.proto",
    "google/api/error_reason.proto",
    "google/api/field_behavior.proto",
    "google/api/field_info.proto",
    "google/api/http.proto",
    "google/api/httpbody.proto",
    "google/api/label.proto",
    "google/api/launch_stage.proto",
    "google/api/metric.proto",
    "google/api/monitored_resource.proto",
    "google/api/policy.proto",
    "google/api/resource.proto",
    "google/api/routing.proto",
    "google/api/visibility.proto",
    "google/longrunning/operations.proto",
    "google/rpc/code.proto",
    "google/rpc/context/attribute_context.proto",
    "google/rpc/error_details.proto",
    "google/rpc/http.proto",
    "google/rpc/status.proto",
    "google/type/calendar_period.proto",
    "google/type/color.proto",
    "google/type/date.proto",
    "google/type/datetime.proto",
    "google/type/dayofweek.proto",
    "google/type/decimal.proto",
    "google/type/expr.proto",
    "google/type/fraction.proto",
    "google/type/interval.proto",
    "google/type/latlng.proto",
    "google/type/localized_text.proto",
    "google/type/money.proto",
    "google/type/month.proto",
    "google/type/phone_number.proto",
    "google/type/postal_address.proto",
    "google/type/quaternion.proto",
    "google/type/timeofday.proto",
    "grpc/health/v1/health.proto",
    "grpc/reflection/v1/reflection.proto",
    "grpc/reflection/v1alpha/reflection.proto",
    "protoc-gen-openapiv2/options/annotations.proto",
    "protoc-gen-openapiv2/options/openapiv2.proto",
    "protoc-gen-swagger/options/annotations.proto",
    "protoc-gen-swagger/options/openapiv2.proto",
    "validate/validate.proto",
];

/// Other names under which files of [`FILES`] are imported.
const ALIASES: &[(&str, &str)] = &[(
    "github.com/gogo/protobuf/gogoproto/gogo.proto",
    "gogoproto/gogo.proto",
)];

/// The text of a file by its import name.
pub fn find(name: &str) -> Option<&'static str> {
    let name = own_name(name);
    let at = FILES.binary_search_by(|file| file.name.cmp(name)).ok()?;
    FILES.get(at).map(|file| file.text)
}

/// The name in [`FILES`] of a file that is imported as `name`; `name` itself when it is no other
/// name of one.
pub fn own_name(name: &str) -> &str {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
    alias.map_or(name, |(_, own)| own)
}

//! HTTP rules from annotations and service YAML.

//! Whole configurations: what is loaded, what wins, what is told.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{Config, Input, Source, load};
use crate::schema::policy::{ErrorShape, FieldNames, Policy, StreamShape};
use crate::schema::problem::{Problem, Severity};

/// A directory with a `sidegate.yaml`.
pub(super) fn directory(yaml: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("sidegate.yaml"), yaml).unwrap();
    directory
}

pub(super) fn input(directory: &Path) -> Input {
    Input {
        directory: directory.to_owned(),
        ..Input::default()
    }
}

fn flags(given: &[(&'static str, &[&str])]) -> Vec<(&'static str, Vec<String>)> {
    let values = |values: &[&str]| values.iter().map(|&v| v.to_owned()).collect();
    given.iter().map(|(flag, v)| (*flag, values(v))).collect()
}

fn variables(given: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    given.iter().map(owned).collect()
}

/// Loads what must be sound.
pub(super) fn sound(input: &Input) -> Config {
    let (config, problems) = load(input);
    let errors: Vec<&Problem> = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    config.unwrap()
}

pub(super) fn sound_file(yaml: &str) -> Config {
    sound(&input(directory(yaml).path()))
}

#[test]
fn nothing_at_all_is_the_documented_default() {
    let empty = tempfile::tempdir().unwrap();
    let (config, problems) = load(&input(empty.path()));
    assert_eq!(problems, []);
    let config = config.unwrap();
    assert_eq!(config.listen.to_string(), "0.0.0.0:8081");
    assert_eq!(config.admin.unwrap().to_string(), "127.0.0.1:9901");
    assert_eq!(config.ops, None);
    assert_eq!(config.upstream.target.to_string(), "127.0.0.1:50051");
    assert_eq!(*config.policies.default, Policy::default());
    assert!(config.policies.exceptions.is_empty());
    assert!(config.sources.reflection);
    assert!(config.rules.allow_unknown_methods);
    assert!(config.workers >= 1);
    let serve = crate::serve::Params {
        max_connections: config.serve.max_connections,
        ..crate::serve::Params::new()
    };
    assert_eq!(format!("{:?}", config.serve), format!("{serve:?}"));
    assert!(config.serve.max_connections >= 64);
    assert_eq!(config.trusted_proxies, []);
    assert_eq!(config.drain_timeout, Duration::from_secs(25));
}

#[test]
fn an_empty_file_and_keys_without_values_say_nothing() {
    for yaml in ["", "# nothing\n", "rest:\nlisten:\nschema: {proto: }\n"] {
        assert_eq!(sound_file(yaml).listen.port(), 8081, "{yaml}");
    }
}

#[test]
fn the_directory_proto_is_used_when_it_exists_and_nothing_is_said() {
    let place = directory("");
    std::fs::create_dir(place.path().join("proto")).unwrap();
    let config = sound(&input(place.path()));
    assert_eq!(config.sources.proto, [place.path().join("proto")]);
    assert!(!config.sources.reflection, "files are given");

    std::fs::write(
        place.path().join("sidegate.yaml"),
        "schema: {proto: [], reflection: on}",
    )
    .unwrap();
    let config = sound(&input(place.path()));
    assert_eq!(config.sources.proto, Vec::<PathBuf>::new());
    assert!(config.sources.reflection);
}

#[test]
fn flags_beat_variables_beat_the_file() {
    let place = directory("listen: 127.0.0.1:1\nadmin: 127.0.0.1:2\nops: 127.0.0.1:3\n");
    let config = sound(&Input {
        flags: flags(&[("--listen", &["127.0.0.1:10"])]),
        variables: variables(&[
            ("SIDEGATE_LISTEN", "127.0.0.1:20"),
            ("SIDEGATE_ADMIN", "127.0.0.1:21"),
            ("SIDEGATE_OPS", ""),
        ]),
        ..input(place.path())
    });
    let ports = (
        config.listen.port(),
        config.admin.unwrap().port(),
        config.ops.unwrap().port(),
    );
    assert_eq!(ports, (10, 21, 3));
    let source = |key: &str| &config.tree.branch(&[key]).unwrap().tree.origin.source;
    assert_eq!(*source("listen"), Source::Flag("--listen"));
    assert_eq!(*source("admin"), Source::Variable("SIDEGATE_ADMIN"));
    let file: Arc<str> = place.path().join("sidegate.yaml").to_string_lossy().into();
    assert_eq!(*source("ops"), Source::File(file));
    assert_eq!(
        config
            .tree
            .branch(&["json", "names"])
            .unwrap()
            .tree
            .origin
            .source,
        Source::Default
    );
}

#[test]
fn a_flag_replaces_a_whole_list_and_paths_start_where_they_were_said() {
    let place = directory("schema: {proto: [a, b], include: [c, /abs]}\n");
    let config = sound(&Input {
        flags: flags(&[("--proto", &["x", "y"])]),
        variables: variables(&[("SIDEGATE_HTTP_RULES", "r.yaml, s.yaml")]),
        ..input(place.path())
    });
    let at = |name: &str| place.path().join(name);
    assert_eq!(config.sources.proto, [at("x"), at("y")]);
    assert_eq!(config.sources.include, [at("c"), PathBuf::from("/abs")]);
    assert_eq!(config.sources.http_rules, [at("r.yaml"), at("s.yaml")]);
    assert!(!config.sources.reflection);

    std::fs::create_dir(place.path().join("conf")).unwrap();
    std::fs::write(at("conf/other.yaml"), "schema: {proto: [here]}").unwrap();
    for (file, variable) in [
        (Some(PathBuf::from("conf/other.yaml")), ""),
        (None, "conf/other.yaml"),
    ] {
        let config = sound(&Input {
            file,
            variables: variables(&[("SIDEGATE_CONFIG", variable)]),
            ..input(place.path())
        });
        assert_eq!(config.sources.proto, [at("conf/here")]);
    }
}

#[test]
fn the_upstream_flag_means_the_only_upstream() {
    let place = directory("upstreams: {backend: {url: 'http://a:1', connect_timeout: 2s}}");
    let config = sound(&input(place.path()));
    assert_eq!(config.upstream.target.to_string(), "a:1");
    let config = sound(&Input {
        flags: flags(&[("--upstream", &["unix:/run/app.sock"])]),
        ..input(place.path())
    });
    assert_eq!(config.upstream.target.to_string(), "unix:/run/app.sock");
    assert_eq!(config.upstream.connect_timeout, Duration::from_secs(2));
    let config = sound(&Input {
        variables: variables(&[("SIDEGATE_UPSTREAM", "http://app:9")]),
        ..Input::default()
    });
    assert_eq!(config.upstream.target.to_string(), "app:9");
}

#[test]
fn routes_are_merged_from_the_widest_to_the_most_specific() {
    let config = sound_file(
        "
json: {names: proto}
limits: {max_timeout: 1m}
routes:
  '*': {json: {indent: 2}}
  a.*: {timeout: 10s, rest: {stream: sse}, limits: {message: 1MiB}}
  a.B: {rest: {errors: problem}}
  a.B.C: {timeout: 2m, json: {indent: 0}}
  a.B.D: {timeout: 5s, max_timeout: 20s}
  a.B.E: {timeout: off, max_timeout: off}
  d.E.*: {json: {indent: 4}}
",
    );
    let of = |service, method| config.policies.of(service, method);
    let seconds = |n| Some(Duration::from_secs(n));

    let elsewhere = of("x.Y", "Z");
    assert_eq!(elsewhere.json.names, FieldNames::Proto);
    assert_eq!(elsewhere.json.indent, 2);
    assert_eq!(elsewhere.timeouts.unary_default, seconds(30));

    let service = of("a.B", "Z");
    assert_eq!(service.rest.stream, StreamShape::Sse);
    assert_eq!(service.rest.errors, ErrorShape::Problem);
    assert_eq!(service.limits.message_bytes, 1 << 20);
    assert_eq!(service.limits.request_bytes, 4 << 20);
    assert_eq!(service.timeouts.stream_default, seconds(10));
    assert_eq!(service.timeouts.max, seconds(10), "M4: the smallest counts");

    let method = of("a.B", "C");
    assert_eq!(
        (method.json.indent, method.json.names),
        (0, FieldNames::Proto)
    );
    assert_eq!(method.timeouts.unary_default, seconds(120));
    assert_eq!(method.rest.errors, ErrorShape::Problem);

    assert_eq!(of("a.Bc", "C").rest.errors, ErrorShape::Google);
    assert_eq!(
        of("d.E", "F").json.indent,
        4,
        "`d.E.*` are the methods of `d.E`"
    );
    assert_eq!(of("d.e.E", "F").json.indent, 2);
    assert_eq!(of("a.B", "D").timeouts.max, seconds(20));
    let none = of("a.B", "E").timeouts;
    assert_eq!((none.unary_default, none.max), (None, None));
    assert_eq!(config.selected.len(), 7);
    assert_eq!(config.selected[0].location.as_ref().unwrap().line, 5);
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let place = tempfile::tempdir().unwrap();
    let (config, problems) = load(&Input {
        file: Some("missing.yaml".into()),
        ..input(place.path())
    });
    assert!(config.is_none());
    assert!(
        problems[0]
            .to_string()
            .contains("missing.yaml: error: the configuration")
    );
    let (config, problems) = load(&Input {
        file: Some(".".into()),
        ..input(place.path())
    });
    assert!(config.is_none());
    assert_eq!(problems.len(), 1);
}

#[test]
fn mistakes_in_flags_and_variables_name_them_and_hide_nothing() {
    let place = directory("listen: nowhere\n");
    let (config, problems) = load(&Input {
        flags: flags(&[("--listen", &["127.0.0.1:0"]), ("--reflection", &["yes"])]),
        variables: variables(&[
            ("SIDEGATE_WORKERS", "lots"),
            ("SIDEGATE_LISTN", "x"),
            ("SIDEGATE_SERVICE_HOST", "10.0.0.1"),
            ("SIDEGATE_PORT_8081_TCP", "tcp://10.0.0.1:8081"),
            ("HOME", "x"),
        ]),
        ..input(place.path())
    });
    assert!(config.is_none());
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let expected = [
        "--reflection: error: `schema.reflection` must be one of `auto`, `on` or `off`, not `yes`",
        "sidegate.yaml:1:9: error: `listen` must be an address and a port such as `0.0.0.0:8081`",
        "SIDEGATE_LISTN: warning: no variable of this name is read\n  help: the nearest is \
         `SIDEGATE_LISTEN`",
        "SIDEGATE_WORKERS: error: `limits.workers` must be a whole number from 1, or `auto`, not \
         `lots`",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for line in expected {
        assert!(
            told.iter().any(|told| told.contains(line)),
            "{line}\n{told:#?}"
        );
    }
}

#[test]
fn a_setting_for_one_upstream_is_laid_on_the_modules_own_defaults() {
    let base = crate::upstream::Params::new(sound_file("").upstream.target);
    let manual = super::manual();
    let shown = [
        (
            "connect_timeout",
            "5s",
            Duration::from_secs(5) == base.connect_timeout,
        ),
        ("max_age", "1h", Duration::from_secs(3600) == base.max_age),
        ("max_connections", "64", 64 == base.max_connections),
        ("max_waiting", "1024", 1024 == base.max_waiting),
        ("head", "128KiB", 128 << 10 == base.max_header_list),
    ];
    for (key, default, is_true) in shown {
        let told = manual
            .split(&format!("### `upstreams.*.{key}`"))
            .nth(1)
            .and_then(|rest| rest.split("###").next());
        let says = told.is_some_and(|text| text.contains(&format!("Default: `{default}`.")));
        assert!(is_true && says, "{key} {default}");
    }
    let given = sound_file("upstreams: {app: {max_waiting: 0, max_age: 1m, head: 1KiB}}").upstream;
    assert_eq!(given.max_waiting, 0);
    assert_eq!(given.max_age, Duration::from_secs(60));
    assert_eq!(given.max_header_list, 1024);
    assert_eq!(given.max_connections, base.max_connections);
}

#[test]
fn limits_of_connections_are_laid_on_the_modules_own_defaults() {
    let serve = sound_file(
        "limits: {first_byte: 1s, head_timeout: 2s, keep_alive: 3s, response_stall: 4s,
         head: 5KiB, headers: 6, uri: 7KiB, streams: 8, connections: 9}",
    )
    .serve;
    let seconds = [serve.opening, serve.head, serve.idle, serve.response_stall];
    assert_eq!(seconds, [1, 2, 3, 4].map(Duration::from_secs));
    let sizes = (serve.head_bytes, serve.head_fields, serve.uri_bytes);
    assert_eq!(sizes, (5 << 10, 6, 7 << 10));
    assert_eq!((serve.streams, serve.max_connections), (8, 9));
}

#[test]
fn logs_are_for_programs_unless_a_person_watches() {
    use super::Lines;
    use crate::telemetry::log::Format;
    for (yaml, terminal, expected) in [
        ("", false, Format::Json),
        ("", true, Format::Text),
        ("telemetry: {log_format: json}", true, Format::Json),
        ("telemetry: {log_format: text}", false, Format::Text),
    ] {
        let place = directory(yaml);
        let config = sound(&Input {
            terminal,
            ..input(place.path())
        });
        assert_eq!(config.telemetry.format, expected, "{yaml} {terminal}");
        assert_eq!(config.telemetry.access_log, Lines::Stdout);
    }
    let off = sound_file("telemetry: {access_log: off}");
    assert_eq!(off.telemetry.access_log, Lines::Off);
}

#[test]
fn the_view_shows_every_setting_and_who_said_it() {
    let place = directory("json: {indent: 2}\nroutes: {a.B: }\n");
    let config = sound(&Input {
        flags: flags(&[("--proto", &["x"])]),
        variables: variables(&[("SIDEGATE_WORKERS", "3")]),
        ..input(place.path())
    });
    let view = config.view();
    let keys = view["keys"].as_array().unwrap();
    let of = |key: &str| keys.iter().find(|entry| entry["key"] == key).unwrap();
    let file = place.path().join("sidegate.yaml");
    for expected in [
        serde_json::json!({"key": "limits.streams", "value": 100, "source": "default"}),
        serde_json::json!({
            "key": "json.indent", "value": 2, "source": "file",
            "at": format!("{}:1:16", file.display()),
        }),
        serde_json::json!({
            "key": "limits.workers", "value": "3", "source": "variable", "at": "SIDEGATE_WORKERS",
        }),
        serde_json::json!({
            "key": "routes.a.B", "value": {}, "source": "file",
            "at": format!("{}:2:13", file.display()),
        }),
        serde_json::json!({
            "key": "schema.proto", "value": ["x"], "source": "flag", "at": "--proto",
        }),
    ] {
        assert_eq!(*of(expected["key"].as_str().unwrap()), expected);
    }
    let said = keys.iter().filter(|entry| entry["source"] != "default");
    assert_eq!(said.count(), 4);
}

#[test]
fn selectors_that_select_nothing_are_told_when_the_schema_is_known() {
    let schema = crate::schema::tests::schema(
        r#"syntax = "proto3"; package a.v1; message M {}
        service Books { rpc Get(M) returns (M); rpc List(M) returns (M); }"#,
    );
    let config = sound_file(
        "routes: {a.v1.Books: , a.*: , '*': , a.v1.Books.Get: , a.v1.Books.Gett: , b.*: , a.v1.B: }",
    );
    let told: Vec<String> = config
        .unused_routes(&schema)
        .iter()
        .map(|problem| format!("{} ({})", problem.message, problem.help.as_deref().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            "`a.v1.B` of `routes` selects no method (the nearest name is `a.v1.Books`)",
            "`a.v1.Books.Gett` of `routes` selects no method (the nearest name is \
             `a.v1.Books.Get`)",
            "`b.*` of `routes` selects no method (`sidegate routes` shows the methods there are)",
        ]
    );
}

#[test]
fn retries_are_laid_on_each_other_and_off_where_nothing_is_said() {
    let policies = sound_file(
        "routes:
           a.*: {retry: {attempts: 5, codes: [aborted]}}
           a.B: {retry: {initial_backoff: 1ms}}
           a.B.Never: {retry: {attempts: 1}}
           a.C: {timeout: 1s}",
    )
    .policies;
    assert!(policies.default.retry.is_none());
    let of = |service: &str, method: &str| policies.of(service, method).retry.clone();
    let retry = of("a.B", "Method").unwrap();
    assert_eq!((retry.attempts, &*retry.codes), (5, &[10][..]));
    assert_eq!(retry.initial_backoff, Duration::from_millis(1));
    assert_eq!(retry.max_backoff, Duration::from_secs(1));
    assert!(of("a.B", "Never").is_none());
    assert_eq!(of("a.C", "Method").unwrap().attempts, 5);
    assert!(of("b.C", "Method").is_none());
}

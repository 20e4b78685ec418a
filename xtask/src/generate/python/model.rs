//! The models of the Python package and their fields.

use anyhow::{Context as _, Result, ensure};
use opencomputer_usage_core::limits::TABLE;
use opencomputer_usage_core::wire::describe::{Description, MemberDescription, Presence};
use opencomputer_usage_core::wire::shape::Shape;

use crate::generate::text::{described, name, sentences};

/// A model of a wire type.
pub(super) struct Model {
    pub(super) wire: &'static str,
    /// The fields that come first, if that is not the order of the wire.
    pub(super) first: &'static [&'static str],
    /// Fields that a caller may leave out although the wire always has them. They come last.
    pub(super) optional: &'static [&'static str],
    /// A field, and the other field without which it is omitted.
    pub(super) omitted_with: Option<[&'static str; 2]>,
    /// The core's value, if it is not the wire type.
    pub(super) core: Option<&'static str>,
    pub(super) members: Members,
    pub(super) form: Form,
}

/// The origin of a model's members.
pub(super) enum Members {
    /// The wire type.
    Wire,
    /// The wire type, and the entity tag, which the client adds.
    WireAndEtag,
    /// A list of the wire type, and its cursor, which the client adds. Has the doc comment of the list.
    Listed(&'static str),
}

/// The form of a model's class.
pub(super) enum Form {
    /// Holds Python objects.
    Record,
    /// Holds lists of numbers, which become tuples when they are read.
    Packed,
    /// Holds encoded values. Lists how fields become Python objects: `Eager`, `Cached` or `Shared`, by default `Fresh`.
    Lazy(&'static [(&'static str, &'static str)]),
    /// The base class of the package's pages, by name, and the kind of response that is such a page. Of a lazy model, the
    /// core's value is the host's page.
    Page { class: &'static str, reply: &'static str, is_lazy: bool },
}

const MODEL: Model = Model {
    wire: "",
    first: &[],
    optional: &[],
    omitted_with: None,
    core: None,
    members: Members::Wire,
    form: Form::Record,
};

pub(super) const MODELS: &[Model] = &[
    Model { wire: "TagViolation", core: Some("opencomputer_usage_core::error::TagViolation"), ..MODEL },
    Model { wire: "UsageSeries", form: Form::Packed, ..MODEL },
    Model { wire: "UsageBucket", ..MODEL },
    Model { wire: "UsageTotals", ..MODEL },
    Model { wire: "UntaggedUsage", ..MODEL },
    Model { wire: "TagUsageItem", ..MODEL },
    Model { wire: "GroupUsageItem", ..MODEL },
    Model { wire: "SandboxUsageTotals", ..MODEL },
    Model { wire: "UsagePoint", ..MODEL },
    Model { wire: "SandboxUsage", optional: &["totals", "points"], ..MODEL },
    Model { wire: "TagKey", ..MODEL },
    Model { wire: "TagValue", ..MODEL },
    Model { wire: "SandboxTagsBody", core: Some("client::SandboxTags"), members: Members::WireAndEtag, ..MODEL },
    Model { wire: "Sandbox", omitted_with: Some(["tags_last_updated_at", "tags"]), ..MODEL },
    Model {
        wire: "SandboxUsageItem",
        first: &["sandbox_id", "memory_gb_seconds", "disk_overage_gb_seconds"],
        form: Form::Lazy(&[
            ("sandbox_id", "Eager"),
            ("memory_gb_seconds", "Eager"),
            ("tags", "Cached"),
            ("series", "Cached"),
            ("status", "Shared"),
        ]),
        ..MODEL
    },
    Model { wire: "TagUsagePage", form: Form::Page { class: "TagUsage", reply: "TagUsage", is_lazy: false }, ..MODEL },
    Model {
        wire: "GroupUsagePage",
        form: Form::Page { class: "GroupUsage", reply: "GroupUsage", is_lazy: false },
        ..MODEL
    },
    Model {
        wire: "SandboxUsagePage",
        form: Form::Page { class: "SandboxesUsage", reply: "SandboxUsagePage", is_lazy: true },
        ..MODEL
    },
    Model {
        wire: "TagValues",
        form: Form::Page { class: "TagValueList", reply: "TagValues", is_lazy: false },
        ..MODEL
    },
    Model {
        wire: "Sandbox",
        core: Some("client::SandboxPage"),
        members: Members::Listed("The sandboxes of this page."),
        form: Form::Page { class: "SandboxList", reply: "Sandboxes", is_lazy: false },
        ..MODEL
    },
];

impl Model {
    /// Returns the name of the class.
    pub(super) fn class(&self) -> Result<&'static str> {
        match self.form {
            Form::Page { class, .. } => Ok(class),
            _ => Ok(name(described(self.wire)?)),
        }
    }

    pub(super) const fn is_page(&self) -> bool {
        matches!(self.form, Form::Page { .. })
    }

    /// Returns whether the class has a type parameter: the type of its series, or of those of its parts.
    pub(super) fn is_generic(&self) -> bool {
        let members = described(self.wire).map_or(&[][..], |description| description.members);
        matches!(self.members, Members::Wire) && members.iter().any(is_generic)
    }

    /// Returns the fields, in the order of the constructor.
    pub(super) fn fields(&self) -> Result<Vec<Field>> {
        let description = described(self.wire)?;
        if let Members::Listed(docs) = self.members {
            let items =
                Field { docs: docs.to_owned(), kind: Kind::Models(name(description)), ..field("items", "items") };
            let docs = "The cursor of the next page; None on the last page.".to_owned();
            let cursor = Field { docs, is_nullable: true, ..field("next_cursor", "nextCursor") };
            return Ok(vec![items, cursor]);
        }
        let fields = description.members.iter().map(|member| Field::of(self, member));
        let mut fields = fields.collect::<Result<Vec<_>>>().with_context(|| self.wire.to_owned())?;
        for name in self.first.iter().chain(self.optional) {
            ensure!(fields.iter().any(|field| field.name == *name), "no field `{name}` of {}", self.wire);
        }
        let place = |field: &Field| {
            let first = self.first.iter().position(|name| *name == field.name);
            let last = self.optional.iter().position(|name| *name == field.name);
            let last = if field.has_buckets { usize::MAX } else { last.map_or(0, |place| place + 1) };
            (field.is_optional, first.unwrap_or(self.first.len()), last)
        };
        fields.sort_by_key(place);
        if let Members::WireAndEtag = self.members {
            let docs = "The entity tag, for `if_match`; None if the server sent none.".to_owned();
            fields.push(Field { docs, is_nullable: true, ..field("etag", "etag") });
        }
        Ok(fields)
    }
}

pub(super) fn is_generic(member: &MemberDescription) -> bool {
    let of_object = |object: &Description| object.members.iter().any(is_generic);
    member.name == "series" || member.object.is_some_and(of_object)
}

/// A field of a model.
pub(super) struct Field {
    pub(super) name: String,
    pub(super) wire: &'static str,
    /// The name of the core's field.
    pub(super) core: &'static str,
    pub(super) docs: String,
    pub(super) kind: Kind,
    pub(super) is_nullable: bool,
    /// Whether the constructor has a default for it.
    pub(super) is_optional: bool,
    /// Whether the wire has it if the query has an interval.
    pub(super) has_buckets: bool,
    /// The field without which the wire omits this one; often itself.
    pub(super) needs: Option<&'static str>,
}

/// The type of a field.
pub(super) enum Kind {
    Text,
    Time,
    Number,
    Numbers,
    Count,
    Flag,
    Tags,
    Group,
    Model(&'static str),
    Models(&'static str),
}

impl Field {
    fn of(model: &Model, member: &MemberDescription) -> Result<Self> {
        let mut shape = &member.shape;
        let is_nullable = matches!(shape, Shape::Nullable(_));
        while let Shape::Nullable(inner) = shape {
            shape = inner;
        }
        let name = match member.field {
            "from" => "from_",
            "timezone" => "time_zone",
            // The items of a page have one name in every list.
            "values" => "items",
            name => name,
        };
        let kind = kind(shape, member).with_context(|| name.to_owned())?;
        let is_omitted = matches!(member.presence, Presence::Omitted | Presence::WithInterval);
        let needs = match model.omitted_with {
            Some([field, other]) if field == name => Some(other),
            _ => is_omitted.then_some(name),
        };
        Ok(Self {
            name: name.to_owned(),
            wire: member.name,
            core: member.field,
            docs: docs(member.docs),
            // An omitted list is an empty one, and an omitted flag is false.
            is_nullable: is_nullable && !(is_omitted && matches!(kind, Kind::Models(_) | Kind::Flag)),
            kind,
            is_optional: is_omitted || model.optional.contains(&name),
            has_buckets: member.presence == Presence::WithInterval,
            needs,
        })
    }

    /// Returns whether the field is a model with allocated and measured memory.
    pub(super) fn is_measured(&self) -> bool {
        let has = |model: &Model| model.fields().is_ok_and(|fields| has_measured_memory(&fields));
        let is_class =
            |class: &str| MODELS.iter().any(|model| model.class().is_ok_and(|name| name == class) && has(model));
        matches!(self.kind, Kind::Model(class) if is_class(class))
    }

    /// Returns the name of the field's twin that is a datetime.
    pub(super) fn datetime(&self) -> Option<String> {
        let name = self.name.strip_suffix("_at").unwrap_or(&self.name).trim_end_matches('_');
        matches!(self.kind, Kind::Time).then(|| format!("{name}_datetime"))
    }
}

/// Returns a field of text that the wire always has.
fn field(name: &'static str, wire: &'static str) -> Field {
    Field {
        name: name.to_owned(),
        wire,
        core: name,
        docs: String::new(),
        kind: Kind::Text,
        is_nullable: false,
        is_optional: false,
        has_buckets: false,
        needs: None,
    }
}

fn kind(shape: &Shape, member: &MemberDescription) -> Result<Kind> {
    let object = || {
        let object = member.object.context("an object has no description")?;
        ensure!(MODELS.iter().any(|model| model.wire == object.name), "no model of {}", object.name);
        Ok(name(object))
    };
    Ok(match shape {
        Shape::Number => Kind::Number,
        Shape::Count => Kind::Count,
        Shape::Text => Kind::Text,
        Shape::Time => Kind::Time,
        Shape::Flag => Kind::Flag,
        Shape::Tags => Kind::Tags,
        Shape::Group => Kind::Group,
        Shape::List(Shape::Number) => Kind::Numbers,
        Shape::Object(_) => Kind::Model(object()?),
        Shape::List(Shape::Object(_)) => Kind::Models(object()?),
        Shape::Nullable(_) | Shape::List(_) => anyhow::bail!("{shape:?} has no kind in Python"),
    })
}

/// Returns a doc comment in the words of Python.
fn docs(docs: &str) -> String {
    sentences(docs).replace("`None`", "None").replace("null", "None")
}

/// Returns the limits as fields.
pub(super) fn limits() -> Vec<Field> {
    let limits = TABLE.iter().map(|limit| Field {
        name: snake_case(limit.name),
        docs: docs(limit.docs),
        kind: Kind::Count,
        ..field("value", limit.name)
    });
    limits.collect()
}

pub(super) fn about(description: &Description) -> String {
    docs(description.docs)
}

fn snake_case(camel_case: &str) -> String {
    camel_case.chars().fold(String::new(), |name, c| {
        let separator = if c.is_ascii_uppercase() { "_" } else { "" };
        format!("{name}{separator}{}", c.to_ascii_lowercase())
    })
}

/// Returns whether a model has allocated and measured memory, and so their ratio.
pub(super) fn has_measured_memory(fields: &[Field]) -> bool {
    let has = |name| fields.iter().any(|field| field.name == name);
    has("memory_allocated_gb_seconds") && has("memory_used_gb_seconds")
}

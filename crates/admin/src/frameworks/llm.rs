//! Vector stores, caches of model answers and conversations: LangChain, LangGraph, LlamaIndex.

use super::{Framework, KeyGroup, Purpose, Row, Setting};
use crate::KeyType::{Hash, List, Module, String, Zset};
use crate::plan::Verdict::{Drain, Move, Stay};

const INDEXED: &str =
    "A search index covers these keys, and search indexes see database 0 only: they stay.";

/// Also recognised by its namespaces: see `forms.rs`.
pub(super) const LLAMA_INDEX: &str = "LlamaIndex";
/// Its group of documents.
pub(super) const LLAMA_DOCUMENTS: &str = "llama-index-documents";

pub(super) const ALL: &[Framework] = &[
    Framework::new(
        LLAMA_INDEX,
        &[
            KeyGroup::new(
                "llama-index-vectors",
                Purpose::Knowledge,
                Stay,
                &[Row::telling(&["llama_index/vector_*"], &[Hash])],
            )
            .note(INDEXED),
            KeyGroup::new(
                LLAMA_DOCUMENTS,
                Purpose::Knowledge,
                Drain,
                &[
                    Row::telling(&["docstore/data", "docstore/ref_doc_info"], &[Hash]),
                    Row::telling(&["docstore/metadata", "index_store/data"], &[Hash]),
                ],
            )
            .together("llama-index")
            .note(
                "One hash holds every document: by MOVE only, which takes no time; any other way \
                 blocks the server while it copies. Stop the writers for that moment.",
            ),
        ],
    )
    .settings(&[Setting::new(
        Purpose::Knowledge,
        "where the document store is made",
        "RedisDocumentStore.from_redis_client(Redis.from_url(\"{url}\"))",
    )]),
    Framework::new(
        "LangGraph",
        &[KeyGroup::new(
            "langgraph",
            Purpose::Conversations,
            Stay,
            &[
                Row::telling(&["checkpoint_blob:*", "checkpoint_write:*"], &[Module, Hash]),
                Row::telling(&["write_keys_zset:*"], &[Zset]),
                Row::telling(&["checkpoint_latest:*"], &[]),
                Row::hinting(&["checkpoint:*"], &[Module, Hash]),
            ],
        )
        .note(INDEXED)],
    ),
    Framework::new(
        "LangChain",
        &[
            KeyGroup::new(
                "langchain-semantic-cache",
                Purpose::Cache,
                Stay,
                &[Row::telling(&["llmcache:*"], &[Hash, Module])],
            )
            .note(INDEXED),
            KeyGroup::new(
                "langchain-cache",
                Purpose::Cache,
                Move,
                &[Row::telling(
                    &["redis:????????????????????????????????:????????????????????????????????"],
                    &[Module, String, Hash],
                )],
            ),
            KeyGroup::new(
                "langchain-history",
                Purpose::Conversations,
                Move,
                &[Row::telling(&["message_store:*"], &[List])],
            )
            .note("Set the URL first: a conversation whose list has not moved yet starts again."),
        ],
    )
    .settings(&[Setting::new(
        Purpose::Conversations,
        "where the history is made",
        "RedisChatMessageHistory(session_id, url=\"{url}\")",
    )]),
];

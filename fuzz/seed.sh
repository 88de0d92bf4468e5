#!/usr/bin/env bash
# Usage: fuzz/seed.sh [--help]
#
# Writes the seeds of each fuzz target to target/fuzz/seeds/TARGET: configurations and responses of tests/data, recorded
# responses if ../shared/corpus exists, and a few bodies, keys and ids.
set -euo pipefail
shopt -s nullglob

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
source "$root/scripts/lib.sh"
help_if_asked "$@"

cd "$root"
seeds=target/fuzz/seeds
corpus=../shared/corpus
# A longer recording slows every run more than it helps.
SEED_BYTES_MAX=8000

# The choices after a response, which the target reads from the end: content type, status, coding, end, phrases, cuts.
readonly STREAM='\0\1\3\1\0\0\0\0' WHOLE='\0\1\3\1\0\0\0\1' LINES='\0\1\3\1\0\0\0\2' BINARY='\0\1\3\1\0\0\0\3'

# responses CHOICES FILE...: writes seeds of the target response, each followed by the choices.
responses() {
  local choices=$1 file files name
  shift
  mapfile -t files < <((($#)) && find "$@" -size "-$((SEED_BYTES_MAX + 1))c")
  for file in "${files[@]}"; do
    name=${file%/*}
    { cat "$file" && printf '%b' "$choices"; } >"$seeds/response/${name##*/}-${file##*/}"
  done
}

# grpc NAME CHOICES BODY: writes a seed of messages. The method and the statuses come before the other choices.
grpc() { printf '%b' "$3$2" >"$seeds/response/grpc-$1"; }

rm -rf "$seeds"
mkdir -p "$seeds"/{config,response,request,keys,defects,steps,filter}
cp tests/data/configs/*.json "$seeds/config"
responses "$STREAM" tests/data/corpus/*/*.sse "$corpus"/*/*.sse
responses "$WHOLE" tests/data/corpus/*/*.json "$corpus"/*/*.json
responses "$LINES" tests/data/corpus/*/*.ndjson "$corpus"/*/*.ndjson
responses "$BINARY" tests/data/corpus/*/*.bin "$corpus"/*/*.bin
grpc stream '\01\1\0\0\0\1\3\1\0\0\0\10' '\0000\0000\0000\00000\0022.\0012\0003llm\0022\00017*\0027\0012\0013text_output\0022\0005BYTES\0032\0001\00012\0013\0007\0000\0000\0000Gr\0303\0274\0303\0237e\0000\0000\0000\0000\0012\0022\0010\0012\0003llm\0022\00011'
grpc typed '\0\1\0\0\0\1\3\1\0\0\0\10' '\0000\0000\0000\0000\0047\0012\0003llm\0022\00011*\0035\0012\0013text_output\0022\0005BYTES\0032\0001\0001*\0004B\0002Hi'
grpc error '\01\1\0\0\0\1\3\1\0\0\0\10' '\0000\0000\0000\0000\0020\0012\0014told to fail\0022\0000'
grpc numbers '\0\1\0\0\0\1\3\1\0\0\0\10' '\0000\0000\0000\00002\0012\0003llm\0022\00011*\0036\0012\0021num_output_tokens\0022\0006UINT32\0032\0001\00012\0010\0004\0000\0000\0000\0000\0000\0000\0000'
grpc web '\01\1\0\0\0\1\3\1\0\0\0\11' '\0000\0000\0000\0000+\0022)\0012\0003llm\0022\00011*\0027\0012\0013text_output\0022\0005BYTES\0032\0001\00012\0006\0002\0000\0000\0000Hi\0200\0000\0000\0000\0036grpc-status:0\0015\0012grpc-message:\0015\0012'

number=0
while IFS= read -r body; do
  number=$((number + 1))
  printf '%s\1\2\3' "$body" >"$seeds/request/$number"
done <<'EOF'
{"model":"large","messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}],"stream":true}
{"stream_options":null,"stream":true,"messages":[{"role":"user","content":[{"type":"text","text":"\u00e9\ud83d\ude00"}]}]}
{"stream":true,"stream_options":{"include_usage":false},"model":"a\"b"}
{"stream":true,"stream_options":{},"prompt":"x"}
{"previous_response_id":"resp_0123456789-llm-1a2b3c4d","input":[{"role":"user","content":"x"}]}
{"conversation":{"id":"conv_1-llm-1a2b3c4d"},"input":"hi","metadata":{"a/b~c":["k"],"session_id":7}}
{"id":"resp_1","object":"response","previous_response_id":"resp_0","conversation":{"id":"conv_1"},"output":[]}
{"user says":{"rating":"up"},"user":"u"}
data: {"type":"response.created","response":{"id":"resp_1","conversation":{"id":"c"}}}
data: {"choices":[],"usage":{"completion_tokens":5}}
EOF
number=0
for text in id=abc '/v1?id=a%20b+c#d' 2026-11-23T09:00:00.5+01:00 1700000000000 \
  01890a5d-ac96-774b-bcce-b302099a8057 01HZYX0000ABCDEFGHJKMNPQRS conv_01h455vb4pex5vsknk084sn02q \
  resp_1-llm-1a2b3c4d '/v1/responses/resp_1-llm-1a2b3c4d/cancel'; do
  number=$((number + 1))
  printf '%s' "$text" >"$seeds/keys/$number"
done
# The texts of labelled answers as they are in the file, as one step each; then how they are cut and ended.
number=0
for file in tests/data/defects/*.jsonl; do
  while IFS= read -r line; do
    number=$((number + 1))
    printf '\0%b\1\0\1\1\0\0\1\2\3' "${line//\\\"/\"}" >"$seeds/defects/$number"
  done < <(cut -c "-$SEED_BYTES_MAX" "$file")
done

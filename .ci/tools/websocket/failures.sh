#!/usr/bin/env bash
# What curl sees of failures in the middle (S4): its exit status where the answer is broken off, the
# last line or event where the framing can tell. `failures.sh http://GATEWAY http://GATEWAY_OF_RESULTS`
set -uo pipefail

STREAM='/v1/shelves/scifi/books:stream?fields=title'
FILE='/v1/shelves/scifi/books/solaris:download?chunk_bytes=500'
failed=0
# check WHAT STATUS TEXT FLAGS...: curl ends with this status, and what it printed has the text.
check() {
    local what=$1 status=$2 text=$3 got said
    shift 3
    said=$(curl --silent --no-buffer --max-time 20 "$@") && got=0 || got=$?
    if [ "$got" = "$status" ] && [[ $said == *"$text"* ]]; then
        echo "ok a failure in the middle: curl, $what"
    else
        echo "not ok a failure in the middle: curl, $what: $got, $said"
        failed=1
    fi
}
# A reset of HTTP/2 may overtake what was sent before it.
for version in http1.1:18:title http2-prior-knowledge:92:; do
    IFS=: read -r http broken came <<<"--$version"
    check "$http, an array" "$broken" "$came" "$http" "$1$STREAM&fail_after=2"
    check "$http, a whole array" 0 '}]' "$http" "$1$STREAM"
    check "$http, a file" "$broken" "${came:+Solaris}" "$http" "$1$FILE&fail_after=1"
    check "$http, a whole file" 0 Solaris "$http" "$1$FILE"
    check "$http, lines" 0 $'}\n{"error":{"code":500' "$http" --header 'accept: application/x-ndjson' "$1$STREAM&fail_after=2"
    check "$http, events" 0 $'\n\nevent: error\ndata: {"error":{"code":500' "$http" \
        --header 'accept: text/event-stream' "$1$STREAM&fail_after=2"
    check "$http, lines of results" 0 $'}}\n{"error":{"code":15' "$http" "$2$STREAM&fail_after=2"
    check "$http, at once" 22 '' "$http" --fail "$1$STREAM&fail_after=0"
done
for encoding in gzip br zstd; do
    check "an array in $encoding" 18 '' --http1.1 --header "accept-encoding: $encoding" --output /dev/null "$1$STREAM&fail_after=2"
done
exit "$failed"

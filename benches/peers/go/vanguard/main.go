// vanguard-go as a proxy: its transcoder over a reverse proxy that speaks HTTP/2 without TLS to the
// backend.
//
//	vanguard LISTEN BACKEND
package main

import (
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"

	"connectrpc.com/vanguard"

	yardv1 "peers/gen/yard/v1"
)

func main() {
	listen, backend := os.Args[1], os.Args[2]
	plain := new(http.Protocols)
	plain.SetUnencryptedHTTP2(true)
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: backend})
	proxy.Transport = &http.Transport{Protocols: plain, DisableCompression: true}
	proxy.FlushInterval = -1
	proxy.ErrorLog = log.New(io.Discard, "", 0)

	service := vanguard.NewServiceWithSchema(
		yardv1.File_yard_v1_yard_proto.Services().ByName("Yard"),
		proxy,
		vanguard.WithTargetProtocols(vanguard.ProtocolGRPC),
		vanguard.WithTargetCodecs(vanguard.CodecProto),
		vanguard.WithNoTargetCompression(),
	)
	transcoder, err := vanguard.NewTranscoder([]*vanguard.Service{service}, vanguard.WithCodec(sparse))
	if err != nil {
		log.Fatal(err)
	}
	both := new(http.Protocols)
	both.SetHTTP1(true)
	both.SetUnencryptedHTTP2(true)
	server := &http.Server{Addr: listen, Handler: transcoder, Protocols: both}
	log.Fatal(server.ListenAndServe())
}

// sparse is the JSON codec, told to leave out what is not set, as the others do.
func sparse(resolver vanguard.TypeResolver) vanguard.Codec {
	codec := vanguard.NewJSONCodec(resolver)
	codec.MarshalOptions.EmitUnpopulated = false
	codec.UnmarshalOptions.DiscardUnknown = true
	return codec
}

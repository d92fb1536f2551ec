// grpc-gateway v2 for one file of cases, told to be as strict as the rules are wherever it has a
// word for it: it is what the suite is run against.
//
//	grpcgateway CASE LISTEN APP SETTINGS
package main

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	// The details of errors, which a program has to know to write them.
	_ "google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"conformance/registry"
)

type settings struct {
	Unescape       string
	MetadataPrefix string
	Indent         int
	ProtoNames     bool
	EmitDefaults   bool
	EnumNumbers    bool
	DiscardUnknown bool
	IgnoreQuery    bool
}

var unescaping = map[string]runtime.UnescapingMode{
	"spec":                runtime.UnescapingModeAllExceptSlash,
	"all_except_reserved": runtime.UnescapingModeAllExceptReserved,
	"all":                 runtime.UnescapingModeAllCharacters,
}

// What belongs to one hop, and `authorization`, which grpc-gateway passes by itself.
var ofTheHop = map[string]bool{
	"accept-encoding": true, "authorization": true, "connection": true, "content-encoding": true,
	"content-length": true, "content-type": true, "host": true, "keep-alive": true,
	"proxy-connection": true, "te": true, "trailer": true, "transfer-encoding": true, "upgrade": true,
}

// The types of the file that is served, which other files have under the same names, and all else
// from the global registry.
type types struct{ own *protoregistry.Types }

func (t types) FindMessageByName(name protoreflect.FullName) (protoreflect.MessageType, error) {
	if found, err := t.own.FindMessageByName(name); err == nil {
		return found, nil
	}
	return protoregistry.GlobalTypes.FindMessageByName(name)
}

func (t types) FindMessageByURL(url string) (protoreflect.MessageType, error) {
	return t.FindMessageByName(protoreflect.FullName(url[strings.LastIndexByte(url, '/')+1:]))
}

func (t types) FindExtensionByName(name protoreflect.FullName) (protoreflect.ExtensionType, error) {
	return protoregistry.GlobalTypes.FindExtensionByName(name)
}

func (t types) FindExtensionByNumber(message protoreflect.FullName, number protoreflect.FieldNumber) (protoreflect.ExtensionType, error) {
	return protoregistry.GlobalTypes.FindExtensionByNumber(message, number)
}

func typesOf(file protoreflect.FileDescriptor) types {
	own := new(protoregistry.Types)
	messages := file.Messages()
	for at := range messages.Len() {
		if err := own.RegisterMessage(dynamicpb.NewMessageType(messages.Get(at))); err != nil {
			log.Fatal(err)
		}
	}
	return types{own}
}

func main() {
	name, listen, app := os.Args[1], os.Args[2], os.Args[3]
	var set settings
	if err := json.Unmarshal([]byte(os.Args[4]), &set); err != nil {
		log.Fatal(err)
	}
	served, known := registry.Cases[name]
	if !known {
		log.Fatalf("nothing was generated for %s", name)
	}
	resolver := typesOf(served.File())
	// All headers and metadata pass but those of the hop, as the rules have it; by default few do.
	in := func(key string) (string, bool) { return key, !ofTheHop[strings.ToLower(key)] }
	out := func(key string) (string, bool) {
		return set.MetadataPrefix + key, !ofTheHop[strings.ToLower(key)]
	}
	mux := runtime.NewServeMux(
		runtime.WithUnescapingMode(unescaping[set.Unescape]),
		runtime.WithIncomingHeaderMatcher(in),
		runtime.WithOutgoingHeaderMatcher(out),
		runtime.WithOutgoingTrailerMatcher(out),
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.HTTPBodyMarshaler{
			Marshaler: &runtime.JSONPb{
				MarshalOptions: protojson.MarshalOptions{
					Resolver:        resolver,
					UseProtoNames:   set.ProtoNames,
					EmitUnpopulated: set.EmitDefaults,
					UseEnumNumbers:  set.EnumNumbers,
					Multiline:       set.Indent > 0,
					Indent:          strings.Repeat(" ", set.Indent),
				},
				UnmarshalOptions: protojson.UnmarshalOptions{
					Resolver:       resolver,
					DiscardUnknown: set.DiscardUnknown,
				},
			},
		}),
	)
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	for _, register := range served.Handlers {
		if err := register(context.Background(), mux, app, options); err != nil {
			log.Fatal(err)
		}
	}
	server := http.Server{Addr: listen, Handler: mux, Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	log.Fatal(server.ListenAndServe())
}

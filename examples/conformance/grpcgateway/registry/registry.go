// Package registry is where the generated packages, one for each file of cases, make themselves
// known by name.
package registry

import (
	"context"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Register is a generated function that connects a service's handlers.
type Register func(ctx context.Context, mux *runtime.ServeMux, endpoint string, opts []grpc.DialOption) error

// Case is what was generated for one file of cases.
type Case struct {
	// A function, as generated packages fill their variables in no order that could be relied on.
	File     func() protoreflect.FileDescriptor
	Handlers []Register
}

// Cases are all of them by name.
var Cases = map[string]Case{}

// Add makes one known.
func Add(name string, file func() protoreflect.FileDescriptor, handlers ...Register) {
	Cases[name] = Case{file, handlers}
}

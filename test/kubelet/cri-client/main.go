// The kubelet's own CRI client, k8s.io/cri-client, over every call of its two interfaces:
//
//	cri-client ENDPOINT IMAGE FOLDER [stream]
//
// With `stream`, lists are taken from the Stream* calls, as a kubelet with CRIListStreaming does. Ends with 1, and says
// which step failed, or which method of the client no step calls.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	internalapi "k8s.io/cri-api/pkg/apis"
	cri "k8s.io/cri-client/pkg"
)

const timeout = 30 * time.Second

// A step calls the method it is named after.
type step struct {
	method string
	run    func(ctx context.Context) error
}

// What the steps know of each other.
type walk struct {
	runtime internalapi.RuntimeService
	images  internalapi.ImageManagerService
	image   string
	folder  string
	imageID string
	pod     string
	ctr     string
	heard   chan string
}

func main() {
	if len(os.Args) < 4 {
		fail(errors.New("usage: cri-client ENDPOINT IMAGE FOLDER [stream]"))
	}
	ctx := context.Background()
	stream := len(os.Args) > 4 && os.Args[4] == "stream"
	runtime, err := cri.NewRemoteRuntimeService(ctx, os.Args[1], timeout, nil, stream)
	fail(err)
	images, err := cri.NewRemoteImageService(ctx, os.Args[1], timeout, nil, stream)
	fail(err)
	w := &walk{runtime: runtime, images: images, image: os.Args[2], folder: os.Args[3], heard: make(chan string, 100)}
	steps := w.steps()
	fail(everyMethodIn(steps))
	for _, s := range steps {
		if err := s.run(ctx); err != nil {
			fail(fmt.Errorf("%s: %w", s.method, err))
		}
		fmt.Println(s.method)
	}
	fail(runtime.Close(ctx))
	fail(images.Close(ctx))
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// A call that a newer client brings must get a step.
func everyMethodIn(steps []step) error {
	walked := map[string]bool{"Close": true}
	for _, s := range steps {
		walked[s.method] = true
	}
	var missing []string
	for _, service := range []reflect.Type{
		reflect.TypeFor[internalapi.RuntimeService](),
		reflect.TypeFor[internalapi.ImageManagerService](),
	} {
		for method := range service.Methods() {
			if !walked[method.Name] {
				missing = append(missing, method.Name)
			}
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("no step calls %v", missing)
	}
	return nil
}

func want(what string, holds bool) error {
	if holds {
		return nil
	}
	return errors.New(what)
}

// For what needs a program of the machine (CRIU): an answer that says so is as good as success.
func unlessUnimplemented(err error) error {
	if status.Code(err) == codes.Unimplemented {
		return nil
	}
	return err
}

func (w *walk) logPath() string { return filepath.Join(w.folder, "logs", "main.log") }

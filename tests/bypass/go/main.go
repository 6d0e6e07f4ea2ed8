// Command reader tells what Go's net/http makes of bytes.
//
// On standard input come frames: four bytes of length, big endian, and that many bytes, which are
// what one client sent on one connection before it stopped sending. For each frame one line goes to
// standard output: a JSON list of the requests that a handler was given, as dockerd's handlers are.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sort"
	"strings"
	"time"
)

// Request is what a handler can know. Bytes are written as code points, so that JSON carries them.
type Request struct {
	Method  string     `json:"method"`
	Target  string     `json:"target"`
	Path    string     `json:"path"`
	Body    string     `json:"body"`
	Cut     bool       `json:"cut"`
	BadForm bool       `json:"bad_form"`
	Form    [][]string `json:"form"`
}

// client is a connection on which everything was said already.
type client struct {
	said   *bytes.Reader
	closed chan struct{}
}

func (c *client) Read(room []byte) (int, error)    { return c.said.Read(room) }
func (c *client) Write(answer []byte) (int, error) { return len(answer), nil }
func (c *client) Close() error {
	select {
	case <-c.closed:
	default:
		close(c.closed)
	}
	return nil
}
func (c *client) LocalAddr() net.Addr              { return &net.UnixAddr{Name: "docker.sock"} }
func (c *client) RemoteAddr() net.Addr             { return &net.UnixAddr{Name: "@"} }
func (c *client) SetDeadline(time.Time) error      { return nil }
func (c *client) SetReadDeadline(time.Time) error  { return nil }
func (c *client) SetWriteDeadline(time.Time) error { return nil }

// door lets one client in.
type door struct {
	guest  *client
	opened bool
}

func (d *door) Accept() (net.Conn, error) {
	if d.opened {
		<-d.guest.closed
		return nil, io.EOF
	}
	d.opened = true
	return d.guest, nil
}
func (d *door) Close() error   { return nil }
func (d *door) Addr() net.Addr { return d.guest.LocalAddr() }

func text(raw []byte) string {
	runes := make([]rune, len(raw))
	for at, b := range raw {
		runes[at] = rune(b)
	}
	return string(runes)
}

func read(said []byte) []Request {
	requests := []Request{}
	handler := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		request := Request{
			Method: r.Method,
			Target: text([]byte(r.RequestURI)),
			Path:   text([]byte(r.URL.Path)),
			Body:   text(body),
			Cut:    err != nil,
			Form:   [][]string{},
		}
		// A copy, because the server looks at the request's own body when the handler is done.
		form := *r
		form.Body = io.NopCloser(bytes.NewReader(body))
		// moby httputils/form.go, `ParseForm`: a media type that cannot be read is no error.
		err = form.ParseForm()
		request.BadForm = err != nil && !strings.HasPrefix(err.Error(), "mime:")
		for key, values := range form.Form {
			pair := []string{text([]byte(key))}
			for _, value := range values {
				pair = append(pair, text([]byte(value)))
			}
			request.Form = append(request.Form, pair)
		}
		sort.Slice(request.Form, func(a, b int) bool { return request.Form[a][0] < request.Form[b][0] })
		requests = append(requests, request)
	}
	guest := &client{bytes.NewReader(said), make(chan struct{})}
	server := &http.Server{Handler: http.HandlerFunc(handler), ErrorLog: log.New(io.Discard, "", 0)}
	// It returns once the connection is closed, which is after the last handler.
	server.Serve(&door{guest: guest})
	return requests
}

func main() {
	input, output := bufio.NewReader(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var length [4]byte
		if _, err := io.ReadFull(input, length[:]); err != nil {
			return
		}
		said := make([]byte, binary.BigEndian.Uint32(length[:]))
		if _, err := io.ReadFull(input, said); err != nil {
			log.Fatal(err)
		}
		if err := output.Encode(read(said)); err != nil {
			log.Fatal(err)
		}
	}
}

// A second opinion: what Go's net/http and encoding/json, which dockerd stands on, make of given bytes.
//
// Reads from stdin, again and again: one byte that says what follows, a length (4 bytes, big
// endian) and that many bytes. Answers each with one line of JSON, in order.
//
//	Q  the bytes of a connection's client: every request that a real http.Server finds in them
//	A  the bytes of a server that was sent a GET: the first answer that http.ReadResponse finds
//	H  the same for a HEAD
//	J  the body of a container's create: what encoding/json decodes it to (bodies.go)
//
// Texts that need not be UTF-8 are written in hexadecimal. Only the standard library is used:
// nothing has to be fetched to build it.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sort"
	"strings"
	"sync"
	"time"
)

type pair [2]string

type request struct {
	Method  string `json:"method"`
	Path    string `json:"path"`
	Query   []pair `json:"query"`
	Form    []pair `json:"form"`
	Host    string `json:"host"`
	Headers []pair `json:"headers"`
	Length  int64  `json:"length"`
	Chunked bool   `json:"chunked"`
	Body    string `json:"body"`
	Broken  string `json:"broken"`
}

type reading struct {
	Requests []request `json:"requests"`
	// End is empty when the server was content until the end, else what it answered.
	End string `json:"end"`
}

type answer struct {
	Status  int    `json:"status"`
	Headers []pair `json:"headers"`
	Body    string `json:"body"`
	Taken   int    `json:"taken"`
	Broken  string `json:"broken"`
}

func main() {
	server := newServer()
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	encoder := json.NewEncoder(out)
	for {
		kind, err := in.ReadByte()
		if err == io.EOF {
			break
		}
		must(err)
		var length uint32
		must(binary.Read(in, binary.BigEndian, &length))
		input := make([]byte, length)
		_, err = io.ReadFull(in, input)
		must(err)
		switch kind {
		case 'Q':
			must(encoder.Encode(server.read(input)))
		case 'A':
			must(encoder.Encode(readAnswer(input, "GET")))
		case 'H':
			must(encoder.Encode(readAnswer(input, "HEAD")))
		case 'J':
			must(encoder.Encode(readCreate(input)))
		default:
			log.Fatalf("unknown kind %q", kind)
		}
		if in.Buffered() == 0 {
			must(out.Flush())
		}
	}
	must(out.Flush())
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// server is a real http.Server whose connections are made of given bytes.
type server struct {
	accepting chan net.Conn
	closed    chan struct{}
	mutex     sync.Mutex
	seen      []request
}

const mark = "X-Seen"

func newServer() *server {
	s := &server{accepting: make(chan net.Conn), closed: make(chan struct{})}
	real := &http.Server{
		Handler:  s,
		ErrorLog: log.New(io.Discard, "", 0),
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				s.closed <- struct{}{}
			}
		},
	}
	go func() { must(real.Serve(s)) }()
	return s
}

func (s *server) read(input []byte) reading {
	s.seen = []request{}
	c := &conn{in: bytes.NewReader(input)}
	s.accepting <- c
	<-s.closed
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return reading{Requests: s.seen, End: c.end()}
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	seen := request{
		Method:  r.Method,
		Path:    hex.EncodeToString([]byte(r.URL.Path)),
		Host:    hex.EncodeToString([]byte(r.Host)),
		Headers: pairs(r.Header),
		Length:  r.ContentLength,
		Chunked: len(r.TransferEncoding) > 0,
		Query:   pairs(r.URL.Query()),
	}
	body, err := io.ReadAll(r.Body)
	seen.Body = hex.EncodeToString(body)
	if err != nil {
		seen.Broken = err.Error()
	}
	// As dockerd does: a form's values come before those of the query.
	r.Body = io.NopCloser(bytes.NewReader(body))
	_ = r.ParseForm()
	first := map[string][]string{}
	for key, values := range r.Form {
		first[key] = values[:1]
	}
	seen.Form = pairs(first)
	s.mutex.Lock()
	s.seen = append(s.seen, seen)
	s.mutex.Unlock()
	w.Header().Set(mark, "1")
}

func (s *server) Accept() (net.Conn, error) { return <-s.accepting, nil }
func (s *server) Close() error              { return nil }
func (s *server) Addr() net.Addr            { return &net.UnixAddr{Name: "@", Net: "unix"} }

// pairs are sorted by name; values keep their order.
func pairs(all map[string][]string) []pair {
	list := []pair{}
	for name, values := range all {
		for _, value := range values {
			list = append(list, pair{hex.EncodeToString([]byte(name)), hex.EncodeToString([]byte(value))})
		}
	}
	sort.SliceStable(list, func(a, b int) bool { return list[a][0] < list[b][0] })
	return list
}

// conn gives the input and then its end; what is written is kept.
type conn struct {
	in    *bytes.Reader
	mutex sync.Mutex
	out   bytes.Buffer
}

func (c *conn) Read(p []byte) (int, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.in.Read(p)
}

func (c *conn) Write(p []byte) (int, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.out.Write(p)
}

func (c *conn) Close() error                     { return nil }
func (c *conn) LocalAddr() net.Addr              { return &net.UnixAddr{Name: "@", Net: "unix"} }
func (c *conn) RemoteAddr() net.Addr             { return &net.UnixAddr{Name: "@", Net: "unix"} }
func (c *conn) SetDeadline(time.Time) error      { return nil }
func (c *conn) SetReadDeadline(time.Time) error  { return nil }
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// end is the server's last word, unless it was our handler's.
func (c *conn) end() string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	said := c.out.String()
	last := strings.LastIndex(said, "HTTP/1.1 ")
	if last < 0 || strings.Contains(said[last:], mark) || strings.HasPrefix(said[last:], "HTTP/1.1 100") {
		return ""
	}
	return strings.ReplaceAll(said[last:], "\r\n", " | ")
}

func readAnswer(input []byte, method string) answer {
	source := bytes.NewReader(input)
	reader := bufio.NewReader(source)
	r, err := http.ReadResponse(reader, &http.Request{Method: method})
	if err != nil {
		return answer{Broken: err.Error(), Headers: []pair{}}
	}
	seen := answer{
		Status:  r.StatusCode,
		Headers: pairs(r.Header),
	}
	body, err := io.ReadAll(r.Body)
	seen.Body = hex.EncodeToString(body)
	if err != nil {
		seen.Broken = err.Error()
	}
	seen.Taken = len(input) - source.Len() - reader.Buffered()
	return seen
}

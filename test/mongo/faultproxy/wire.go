//go:build unix

package faultproxy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// MongoDB's wire protocol, as far as the proxy reads it: a header of four
// little-endian int32 (length of all, request id, the request that it answers,
// opcode), then what the opcode says. Source:
// https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/
const (
	headerSize = 16
	// maxMessage is the largest message that servers take.
	maxMessage = 48_000_000

	opReply      = 1 // answers opQuery
	opQuery      = 2004
	opCompressed = 2012
	opMsg        = 2013

	// Flags of opMsg, and the sizes of its flags and checksum.
	flagChecksum   = 1 << 0
	flagMoreToCome = 1 << 1
	flagsSize      = 4
	checksumSize   = 4

	// Kinds of opMsg's sections: the one document, and sequences of more.
	sectionBody     = 0
	sectionSequence = 1
)

// errProtocol marks what the proxy cannot read.
var errProtocol = errors.New("not MongoDB's protocol as this proxy knows it")

// message is one message, header and all.
type message []byte

// command is what a message asks for.
type command struct {
	name, collection string
	msg              message
}

// isHello reports whether the driver asks after the server, as it does by itself.
func (c command) isHello() bool {
	return c.name == "hello" || c.name == "isMaster" || c.name == "ismaster"
}

// read reads one message.
func read(r io.Reader) (message, error) {
	var head [headerSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	size := binary.LittleEndian.Uint32(head[:])
	if size < headerSize || size > maxMessage {
		return nil, fmt.Errorf("%w: a message of %d bytes", errProtocol, size)
	}
	m := make(message, size)
	copy(m, head[:])
	_, err := io.ReadFull(r, m[headerSize:])
	return m, err
}

func (m message) int32(at int) int32 { return int32(binary.LittleEndian.Uint32(m[at:])) }
func (m message) requestID() int32   { return m.int32(4) }
func (m message) responseTo() int32  { return m.int32(8) }
func (m message) opcode() int32      { return m.int32(12) }

// flags returns the flags of an opMsg.
func (m message) flags() uint32 {
	if m.opcode() != opMsg || len(m) < headerSize+flagsSize {
		return 0
	}
	return binary.LittleEndian.Uint32(m[headerSize:])
}

// end is where the message's content ends: the checksum is none.
func (m message) end() int {
	if m.flags()&flagChecksum != 0 {
		return len(m) - checksumSize
	}
	return len(m)
}

// wantsNoReply reports whether the client goes on without one.
func (m message) wantsNoReply() bool { return m.flags()&flagMoreToCome != 0 }

// command returns what the message asks for.
func (m message) command() (command, error) {
	doc, err := m.document()
	if err != nil {
		return command{}, err
	}
	first, err := doc.IndexErr(0)
	if err != nil {
		return command{}, fmt.Errorf("%w: a command without a name", errProtocol)
	}
	c := command{name: first.Key(), msg: m}
	c.collection, _ = first.Value().StringValueOK()
	if c.name == "getMore" {
		c.collection, _ = doc.Lookup("collection").StringValueOK()
	}
	return c, nil
}

// document returns the message's one document: the command, or the reply.
func (m message) document() (bson.Raw, error) {
	from, to, err := m.bounds()
	if err != nil {
		return nil, err
	}
	return bson.Raw(m[from:to]), nil
}

// bounds returns where the message's one document is.
func (m message) bounds() (from, to int, err error) {
	switch m.opcode() {
	case opMsg:
		return m.bodyBounds()
	case opQuery:
		// Flags, a name that ends with a zero, two numbers.
		end := -1
		if len(m) > headerSize+4 {
			end = bytes.IndexByte(m[headerSize+4:], 0)
		}
		if end < 0 {
			return 0, 0, fmt.Errorf("%w: an OP_QUERY without a name", errProtocol)
		}
		return m.documentAt(headerSize+4+end+1+8, len(m))
	case opReply:
		return m.documentAt(headerSize+20, len(m))
	case opCompressed:
		return 0, 0, fmt.Errorf("%w: compressed, though none was offered", errProtocol)
	}
	return 0, 0, fmt.Errorf("%w: opcode %d", errProtocol, m.opcode())
}

// bodyBounds looks for the body among the sections of an opMsg.
func (m message) bodyBounds() (from, to int, err error) {
	end := m.end()
	for at := headerSize + flagsSize; at < end; {
		switch m[at] {
		case sectionBody:
			return m.documentAt(at+1, end)
		case sectionSequence:
			if at+1+4 > end {
				return 0, 0, fmt.Errorf("%w: a section is cut off", errProtocol)
			}
			size := int(m.int32(at + 1)) // with its own four bytes
			if size < 4 || size > end-at-1 {
				return 0, 0, fmt.Errorf("%w: a section of %d bytes", errProtocol, size)
			}
			at += 1 + size
		default:
			return 0, 0, fmt.Errorf("%w: a section of kind %d", errProtocol, m[at])
		}
	}
	return 0, 0, fmt.Errorf("%w: a message without a body", errProtocol)
}

// documentAt returns the bounds of the document at at, which ends by limit.
func (m message) documentAt(at, limit int) (from, to int, err error) {
	if at+4 > limit {
		return 0, 0, fmt.Errorf("%w: a document is cut off", errProtocol)
	}
	size := int(m.int32(at))
	if size < 5 || size > limit-at {
		return 0, 0, fmt.Errorf("%w: a document of %d bytes", errProtocol, size)
	}
	if err := bson.Raw(m[at : at+size]).Validate(); err != nil {
		return 0, 0, fmt.Errorf("%w: %w", errProtocol, err)
	}
	return at, at + size, nil
}

// without returns the message without a field of its document. A checksum would
// no longer be right and goes, too.
func (m message) without(field string) (message, error) {
	from, to, err := m.bounds()
	if err != nil {
		return nil, err
	}
	if _, err := bson.Raw(m[from:to]).LookupErr(field); err != nil {
		return m, nil // it is not there
	}
	var doc, kept bson.D
	if err := bson.Unmarshal(m[from:to], &doc); err != nil {
		return nil, fmt.Errorf("%w: %w", errProtocol, err)
	}
	for _, e := range doc {
		if e.Key != field {
			kept = append(kept, e)
		}
	}
	body, err := bson.Marshal(kept)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errProtocol, err)
	}
	changed := bytes.Join([][]byte{m[:from], body, m[to:m.end()]}, nil)
	binary.LittleEndian.PutUint32(changed, uint32(len(changed)))
	if m.opcode() == opMsg {
		binary.LittleEndian.PutUint32(changed[headerSize:], m.flags()&^flagChecksum)
	}
	return changed, nil
}

// reply returns a message that answers m with doc.
func (m message) reply(doc bson.D) (message, error) {
	body, err := bson.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("a reply that a test gave: %w", err)
	}
	opcode, head := uint32(opMsg), make([]byte, flagsSize+1) // no flags; a body
	if m.opcode() == opQuery {
		opcode, head = opReply, make([]byte, 20)      // no flags, cursor or offset;
		binary.LittleEndian.PutUint32(head[16:20], 1) // one document
	}
	reply := make(message, headerSize, headerSize+len(head)+len(body))
	reply = append(append(reply, head...), body...)
	binary.LittleEndian.PutUint32(reply, uint32(len(reply)))
	binary.LittleEndian.PutUint32(reply[4:], uint32(m.requestID())) // any id does
	binary.LittleEndian.PutUint32(reply[8:], uint32(m.requestID()))
	binary.LittleEndian.PutUint32(reply[12:], opcode)
	return reply, nil
}

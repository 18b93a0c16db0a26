//go:build unix

package faultproxy

import (
	"bytes"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Any as a Match's Command stands for every command but the driver's own
// questions after the server (hello, isMaster).
const Any = "*"

// Match says which command a rule is about.
type Match struct {
	// Command is its name as the protocol has it: insert, update, delete, find,
	// findAndModify, getMore, hello, … or Any.
	Command string
	// Collection is what the command is about; empty is every one.
	Collection string
	// Holds is a text that stands anywhere in it, as a value or as the name of a
	// field or an operator: "$unset"; empty is every one.
	Holds string
	// Nth is which of the matching commands, from 1; 0 is each of them.
	Nth int
}

// Rule is a rule that was set.
type Rule struct {
	match Match
	fault Fault
	seen  int // guarded by the proxy's lock

	arrived, served         chan struct{}
	arrivedOnce, servedOnce sync.Once
}

// Arrived is closed when the rule's first command has come from the client.
func (r *Rule) Arrived() <-chan struct{} { return r.arrived }

// Served is closed when the server has answered the rule's first command: what it
// writes is written. That never happens where the fault keeps the command back.
func (r *Rule) Served() <-chan struct{} { return r.served }

// due counts a command and reports whether it is the rule's turn.
func (r *Rule) due(c command) bool {
	switch {
	case r.match.Command == Any && !c.isHello():
	case r.match.Command != c.name:
		return false
	}
	if r.match.Collection != "" && r.match.Collection != c.collection {
		return false
	}
	if !bytes.Contains(c.msg, []byte(r.match.Holds)) {
		return false
	}
	r.seen++
	return r.match.Nth == 0 || r.match.Nth == r.seen
}

// Fault is what happens to a command: make one with the functions below.
type Fault struct {
	before, after time.Duration // waits before it is forwarded, and before the reply goes back
	keep          bool          // the server never gets it
	reply         func(c command, real bson.D) bson.D
	end           ending
}

// ending is what the client gets.
type ending int

const (
	endReply ending = iota // the reply, the server's or another
	endCut                 // a closed connection
	endHang                // nothing, on an open connection
)

// Delay forwards the command after d. It arrives even if the client has given up
// meanwhile, as it does on a slow network.
func Delay(d time.Duration) Fault { return Fault{before: d} }

// DelayReply forwards the command at once, and the reply d after it came.
func DelayReply(d time.Duration) Fault { return Fault{after: d} }

// Cut closes the connection instead of forwarding the command.
func Cut() Fault { return Fault{keep: true, end: endCut} }

// DropReply forwards the command and closes the connection when the server has
// answered: what it writes is written.
func DropReply() Fault { return Fault{end: endCut} }

// Hang neither forwards the command nor answers, for ever.
func Hang() Fault { return Fault{keep: true, end: endHang} }

// HangReply forwards the command; the reply never comes.
func HangReply() Fault { return Fault{end: endHang} }

// Answer gives the client this reply. With forward the server gets the command
// first, and its own reply is thrown away; without, it never does.
func Answer(reply bson.D, forward bool) Fault {
	return Fault{keep: !forward, reply: func(command, bson.D) bson.D { return reply }}
}

// Change forwards the command and gives the client what fn makes of the reply.
func Change(fn func(real bson.D) bson.D) Fault {
	return Fault{reply: func(_ command, real bson.D) bson.D { return fn(real) }}
}

// NotWritablePrimary answers as a primary that has stepped down. With forward the
// write was done before.
func NotWritablePrimary(forward bool) Fault {
	return Answer(bson.D{{Key: "ok", Value: 0.0}, {Key: "errmsg", Value: "not primary"},
		{Key: "code", Value: int32(10107)}, {Key: "codeName", Value: "NotWritablePrimary"}}, forward)
}

// WriteConcernError adds the error to the server's reply: the write is done on
// the primary and may not last. Without forward the reply says so of a write that
// never was, or was rolled back. 64 is a time-out, 91 a shutdown.
func WriteConcernError(code int32, forward bool) Fault {
	return Fault{keep: !forward, reply: func(c command, real bson.D) bson.D {
		if !forward {
			real = done(c)
		}
		return append(real, bson.E{Key: "writeConcernError", Value: bson.D{
			{Key: "code", Value: code}, {Key: "errmsg", Value: "waiting for replication failed"}}})
	}}
}

// done is a server's reply to a write of one document that went well.
func done(c command) bson.D {
	switch c.name {
	case "findAndModify":
		return bson.D{{Key: "lastErrorObject", Value: bson.D{{Key: "n", Value: int32(1)}, {Key: "updatedExisting", Value: true}}},
			{Key: "value", Value: nil}, {Key: "ok", Value: 1.0}}
	case "update":
		return bson.D{{Key: "n", Value: int32(1)}, {Key: "nModified", Value: int32(1)}, {Key: "ok", Value: 1.0}}
	}
	return bson.D{{Key: "n", Value: int32(1)}, {Key: "ok", Value: 1.0}}
}

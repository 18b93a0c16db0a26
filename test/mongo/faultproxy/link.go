//go:build unix

package faultproxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// link is a client's connection and the one to the server that belongs to it.
type link struct {
	proxy  *Proxy
	client net.Conn

	mu      sync.Mutex
	server  net.Conn // nil until it is there
	isCut   bool
	pending map[int32]pending // by request id
	settled chan struct{}     // gets a value when one of pending was answered

	writing sync.Mutex // of replies to the client
}

// pending is a forwarded command whose reply a rule decides on.
type pending struct {
	rule *Rule
	msg  message
	cmd  command
}

// run serves the connection until one side ends it.
func (l *link) run() {
	defer l.proxy.forget(l)
	defer l.cut()
	server, err := l.proxy.dial()
	if err != nil {
		return // the client sees a closed connection: the server is down
	}
	l.mu.Lock()
	l.server = server
	isCut := l.isCut
	l.mu.Unlock()
	if isCut {
		_ = server.Close()
		return
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.replies()
	}()
	l.note(l.commands())
	// The client is gone; what a rule let pass still reaches the server.
	for l.waiting() {
		select {
		case <-l.settled:
			continue
		case <-ended:
		}
		break
	}
	l.cut()
	<-ended
}

// waiting reports whether the server owes an answer to a command under a rule.
func (l *link) waiting() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.pending) > 0
}

// cut closes both connections.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isCut = true
	_ = l.client.Close()
	if l.server != nil {
		_ = l.server.Close()
	}
}

// note reports an error that is no end of a connection.
func (l *link) note(err error) {
	if errors.Is(err, errProtocol) {
		l.proxy.report(err)
	}
}

// commands takes what the client sends to the server, until there is no more.
func (l *link) commands() error {
	for {
		msg, err := read(l.client)
		if err != nil {
			return err
		}
		cmd, err := msg.command()
		if err != nil {
			l.cut()
			return err
		}
		if cmd.isHello() {
			if msg, err = msg.without("compression"); err != nil {
				return err
			}
		}
		rule := l.proxy.ruleFor(cmd)
		if rule == nil {
			if _, err := l.server.Write(msg); err != nil {
				return err
			}
			continue
		}
		if err := l.obey(rule, msg, cmd); err != nil {
			return err
		}
	}
}

// obey does what a rule says on a command's way to the server.
func (l *link) obey(rule *Rule, msg message, cmd command) error {
	f := rule.fault
	if !l.proxy.wait(f.before) {
		return io.EOF
	}
	if !f.keep {
		l.mu.Lock()
		l.pending[msg.requestID()] = pending{rule, msg, cmd}
		l.mu.Unlock()
		_, err := l.server.Write(msg)
		return err
	}
	switch f.end {
	case endCut:
		l.cut()
		return io.EOF
	case endHang:
		return nil // the client may still close, or send more in vain
	}
	return l.answer(msg, f.reply(cmd, nil))
}

// replies takes what the server sends to the client, until there is no more.
func (l *link) replies() {
	for {
		msg, err := read(l.server)
		if err == nil {
			err = l.deliver(msg)
		}
		if err != nil {
			l.note(err)
			l.cut()
			return
		}
	}
}

// deliver does what a rule says on a reply's way to the client.
func (l *link) deliver(reply message) error {
	l.mu.Lock()
	p, ok := l.pending[reply.responseTo()]
	delete(l.pending, reply.responseTo())
	l.mu.Unlock()
	if !ok {
		return l.write(reply)
	}
	p.rule.servedOnce.Do(func() { close(p.rule.served) })
	select {
	case l.settled <- struct{}{}:
	default: // run looks at pending anyway
	}
	f := p.rule.fault
	if !l.proxy.wait(f.after) {
		return io.EOF
	}
	switch f.end {
	case endCut:
		return io.EOF
	case endHang:
		return nil
	}
	if f.reply == nil {
		return l.write(reply)
	}
	doc, err := reply.document()
	if err != nil {
		return err
	}
	var real bson.D
	if err := bson.Unmarshal(doc, &real); err != nil {
		return fmt.Errorf("%w: a reply of the server: %w", errProtocol, err)
	}
	return l.answer(p.msg, f.reply(p.cmd, real))
}

// answer sends a reply of ours to a message, unless the client waits for none.
func (l *link) answer(to message, doc bson.D) error {
	if to.wantsNoReply() {
		return nil
	}
	reply, err := to.reply(doc)
	if err != nil {
		return err
	}
	return l.write(reply)
}

func (l *link) write(msg message) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	_, err := l.client.Write(msg)
	return err
}

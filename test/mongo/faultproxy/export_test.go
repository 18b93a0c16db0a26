//go:build unix

package faultproxy

// What only this package's own tests may see.

// Through is through.
var Through = through

// CommandOf returns name and collection of the command in a message.
func CommandOf(m []byte) (name, collection string, err error) {
	if len(m) < headerSize {
		return "", "", errProtocol
	}
	c, err := message(m).command()
	return c.name, c.collection, err
}

// Without is message.without.
func Without(m []byte, field string) ([]byte, error) {
	if len(m) < headerSize {
		return nil, errProtocol
	}
	return message(m).without(field)
}

package scim

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// discoveryTime is for how long the target's word on what it can do is believed.
const discoveryTime = time.Hour

// features are what a target can do.
type features struct{ patch, filter, etag bool }

// discover returns what the target can do, by its ServiceProviderConfig (RFC
// 7643, section 5). Not all have one, or show it to everybody: then it is taken
// for one that can what nearly all can.
func (c *Connector) discover(ctx context.Context) (features, error) {
	c.mu.Lock()
	known, fresh := c.features, !c.asked.IsZero() && c.Now().Sub(c.asked) < discoveryTime
	c.mu.Unlock()
	if fresh {
		return known, nil
	}
	f, err := c.askFeatures(ctx)
	if err != nil {
		return features{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.features, c.asked = f, c.Now()
	return f, nil
}

func (c *Connector) askFeatures(ctx context.Context) (features, error) {
	usual := features{patch: true, filter: true}
	answer, err := c.client.call(ctx, call{what: "read ServiceProviderConfig", method: http.MethodGet, path: "/ServiceProviderConfig"})
	if isStatus(err, http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented) {
		return usual, nil
	}
	if err != nil {
		return features{}, err
	}
	type supported struct {
		Supported *bool `json:"supported"`
	}
	var said struct {
		Patch  supported `json:"patch"`
		Filter supported `json:"filter"`
		ETag   supported `json:"etag"`
	}
	if json.Unmarshal(answer.body, &said) != nil {
		return features{}, errors.New("read ServiceProviderConfig: the reply is no JSON")
	}
	for into, s := range map[*bool]supported{&usual.patch: said.Patch, &usual.filter: said.Filter, &usual.etag: said.ETag} {
		if s.Supported != nil {
			*into = *s.Supported
		}
	}
	return usual, nil
}

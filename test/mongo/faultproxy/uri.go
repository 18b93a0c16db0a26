//go:build unix

package faultproxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// target is the one server that the proxy leads to.
type target struct {
	addr string
	tls  *tls.Config // nil where the server speaks plainly
}

// lookUp returns the server that takes writes: of a replica set its primary as it
// is now. The errors hold no text of the driver's, which may quote the URI.
func lookUp(ctx context.Context, uri string) (target, error) {
	opts := options.Client().ApplyURI(uri)
	if opts.Validate() != nil || len(opts.Hosts) == 0 {
		return target{}, errors.New("fault proxy: the driver refuses the server's URI")
	}
	client, err := mongo.Connect(opts)
	if err != nil {
		return target{}, errors.New("fault proxy: the driver refuses the server's URI")
	}
	defer client.Disconnect(context.WithoutCancel(ctx))
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	var hello struct {
		Primary string `bson:"primary"`
	}
	if err := client.Database("admin").RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello); err != nil {
		return target{}, fmt.Errorf("fault proxy: the server did not answer within %v", dialLimit)
	}
	addr := opts.Hosts[0]
	if hello.Primary != "" {
		addr = hello.Primary
	}
	if !strings.Contains(addr[strings.LastIndexByte(addr, ']')+1:], ":") {
		addr += ":27017"
	}
	config := opts.TLSConfig
	if config != nil && config.ServerName == "" {
		config = config.Clone()
		config.ServerName = addr[:strings.LastIndexByte(addr, ':')]
	}
	return target{addr: addr, tls: config}, nil
}

// through returns the URI with the proxy in the servers' place. The way to the
// proxy is plain, and what tells the driver to look for other servers is gone.
func through(uri, proxy string) string {
	_, rest, _ := strings.Cut(uri, "://")
	rest, query, _ := strings.Cut(rest, "?")
	hosts, database, _ := strings.Cut(rest, "/")
	user := hosts[:strings.LastIndexByte(hosts, '@')+1]
	kept := []string{"directConnection=true"}
	hasSource := false
	for option := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(strings.ToLower(option), "=")
		if name == "" || strings.HasPrefix(name, "tls") || strings.HasPrefix(name, "ssl") || strings.HasPrefix(name, "srv") ||
			slices.Contains([]string{"replicaset", "directconnection", "loadbalanced"}, name) {
			continue
		}
		hasSource = hasSource || name == "authsource"
		kept = append(kept, option)
	}
	// A +srv URI has this from its DNS record, which the new URI does not have.
	if strings.HasPrefix(uri, "mongodb+srv://") && user != "" && !hasSource {
		kept = append(kept, "authSource=admin")
	}
	return "mongodb://" + user + proxy + "/" + database + "?" + strings.Join(kept, "&")
}

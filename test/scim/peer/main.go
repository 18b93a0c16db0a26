// Command peer is a SCIM 2.0 service made with github.com/elimity-com/scim, for
// the tests of jithook. Requests are read, checked against the schemas, filtered
// and answered by that library; kept are the resources here, in memory. It asks
// nobody for a password, so it listens on the loopback interface only. It must not
// know jithook.
//
// When it listens it prints one line, url=http://127.0.0.1:PORT, and goes on until
// it is killed.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/elimity-com/scim"
	"github.com/elimity-com/scim/schema"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

func run() error {
	server, err := scim.NewServer(&scim.ServerArgs{
		ServiceProviderConfig: &scim.ServiceProviderConfig{SupportFiltering: true, SupportPatch: os.Getenv("PEER_NO_PATCH") == ""},
		ResourceTypes: []scim.ResourceType{
			{
				Name: "User", Endpoint: "/Users", Schema: schema.CoreUserSchema(),
				SchemaExtensions: []scim.SchemaExtension{{Schema: schema.ExtensionEnterpriseUser()}},
				Handler:          newShelf("U", "userName"),
			},
			{Name: "Group", Endpoint: "/Groups", Schema: schema.CoreGroupSchema(), Handler: newShelf("G", "")},
		},
	})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("url=http://%s\n", l.Addr())
	return http.Serve(l, server)
}

package doctor

import (
	"context"
	"errors"

	"github.com/jithook/jithook/kratos"
)

// Admin is Kratos's Admin API, as far as it is asked: for a page of identities,
// which only who may read them gets.
type Admin interface {
	Page(ctx context.Context, token string, size int) (ids []string, next string, err error)
}

// ProbeAdmin reads once from the Admin API that jithook has of an instance,
// and changes nothing. It asks from here, which need not be where jithook runs.
func ProbeAdmin(ctx context.Context, api Admin, instance string) []Finding {
	e := examination{}
	_, _, err := api.Page(ctx, "", 1)
	switch {
	case errors.Is(err, kratos.ErrNoIdentity): // its word for a 404 of Kratos's
		e.find(CodeAdminAway, nil, "kratos.instances.%s: who answers there has no identities: is it Kratos's public API?", instance)
	case err != nil:
		e.find(CodeAdminAway, nil, "kratos.instances.%s: %v", instance, err)
	}
	return e.found
}

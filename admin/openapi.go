package admin

import (
	_ "embed"
	"net/http"

	"github.com/labstack/echo/v4"
)

// document describes the API, in OpenAPI 3.0.3. The tests hold every request
// and reply to it.
//
//go:embed openapi.json
var document []byte

func openapi(c echo.Context) error {
	return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, document)
}

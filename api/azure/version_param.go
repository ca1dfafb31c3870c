package azure

import (
	"net/url"

	"loggia/api/azure/schema"
)

func apiVersion(q url.Values) (schema.Version, error) {
	return schema.ParseVersion(q.Get("api-version"))
}

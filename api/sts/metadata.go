package sts

import (
	"net/http"
	"strings"

	"loggia/api/respond"
)

// metadata answers where things are. Each client reads the shape of the api-version that it asks for:
//
//	before 2018        the flat one of the Azure CLI
//	2018-01-01         the flat one with cloudEndpoint, which Terraform reads beside the newest
//	2018-05 to 2020    a list of one cloud
//	2022-09-01 and on  one cloud
//
// All say that one logs in at /adfs: a login endpoint that ends so keeps clients away from Microsoft's own servers.
func (h *handler) metadata(w http.ResponseWriter, r *http.Request) {
	n, err := h.o.Service.Names()
	if err != nil {
		respond.Error(h.o.Log, w, r, err)
		return
	}
	base := h.o.Base(r)
	switch v := r.URL.Query().Get("api-version"); {
	case v < "2018":
		respond.JSON(w, http.StatusOK, flat(base, n))
	case v < "2018-05":
		f := flat(base, n)
		f.GraphAudience, f.Authentication.Tenant, f.Authentication.Provider, f.Cloud = base+"/", "common", "AAD", map[string]cloudEndpoint{}
		respond.JSON(w, http.StatusOK, f)
	case v < "2021":
		respond.JSON(w, http.StatusOK, []cloud{oneCloud(base, n)})
	default:
		respond.JSON(w, http.StatusOK, oneCloud(base, n))
	}
}

type authentication struct {
	Login     string   `json:"loginEndpoint"`
	Audiences []string `json:"audiences"`
	Tenant    string   `json:"tenant,omitempty"`
	Provider  string   `json:"identityProvider,omitempty"`
}

type flatMetadata struct {
	Gallery        string                   `json:"galleryEndpoint"`
	Graph          string                   `json:"graphEndpoint"`
	GraphAudience  string                   `json:"graphAudience,omitempty"`
	Portal         string                   `json:"portalEndpoint"`
	Authentication authentication           `json:"authentication"`
	Cloud          map[string]cloudEndpoint `json:"cloudEndpoint,omitempty"`
}

// cloudEndpoint would tell the regions; nobody learns them without a token.
type cloudEndpoint struct {
	Endpoint string `json:"endpoint"`
}

func flat(base string, n Names) flatMetadata {
	return flatMetadata{Gallery: base + "/", Graph: base + "/", Portal: base + "/", Authentication: authentication{Login: base + "/adfs", Audiences: []string{n.Audience}}}
}

// cloud is the newer shape. Clients ask for members of services that Loggia has not; they are left empty rather than out.
type cloud struct {
	Portal         string            `json:"portal"`
	Authentication authentication    `json:"authentication"`
	Media          string            `json:"media"`
	GraphAudience  string            `json:"graphAudience"`
	Graph          string            `json:"graph"`
	Name           string            `json:"name"`
	Suffixes       map[string]string `json:"suffixes"`
	Batch          string            `json:"batch"`
	Manager        string            `json:"resourceManager"`
	Aliases        string            `json:"vmImageAliasDoc"`
	DataLake       string            `json:"activeDirectoryDataLake"`
	SQL            string            `json:"sqlManagement"`
	Gallery        string            `json:"gallery"`
	MicrosoftGraph string            `json:"microsoftGraphResourceId"`
}

func oneCloud(base string, n Names) cloud {
	host := strings.TrimPrefix(strings.TrimPrefix(base, "https://"), "http://")
	return cloud{Portal: base + "/", Name: "Loggia", Manager: base + "/", Gallery: base + "/", Graph: base + "/", GraphAudience: base + "/", MicrosoftGraph: base + "/",
		Authentication: authentication{Login: base + "/adfs", Audiences: []string{n.Audience, base + "/"}, Tenant: "common", Provider: "AAD"},
		Suffixes: map[string]string{"storage": host, "keyVaultDns": "vault." + host, "storageSyncEndpointSuffix": "", "sqlServerHostname": "",
			"acrLoginServer": "", "azureDataLakeStoreFileSystem": "", "azureDataLakeAnalyticsCatalogAndJob": "", "mhsmDns": "",
			"mysqlServerEndpoint": "", "postgresqlServerEndpoint": "", "mariadbServerEndpoint": "", "synapseAnalytics": "", "attestationEndpoint": ""}}
}

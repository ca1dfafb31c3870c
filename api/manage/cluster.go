package manage

import (
	"net/http"

	"loggia/api/respond"
	"loggia/api/v1"
	"loggia/gallery"
)

func (h *handler) cluster() {
	h.read("/v1/regions", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		all, err := h.s.Regions(r.Context())
		return list(all), err
	})
	h.read("/v1/regions/{region}", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		return h.s.Region(r.Context(), r.PathValue("region"))
	})
	h.write("DELETE", "/v1/regions/{region}", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		lost, err := h.s.RemoveRegion(r.Context(), r.PathValue("region"), r.URL.Query().Get("lost") == "true")
		return v1.RegionRemoved{NoSource: lost}, err
	})
	h.read("/v1/members", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		all, err := h.s.Members(r.Context())
		return list(all), err
	})
	h.write("DELETE", "/v1/members/{id}", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		return nil, h.s.RemoveMember(r.Context(), r.PathValue("id"))
	})
	h.write("POST", "/v1/join-tokens", func(w http.ResponseWriter, r *http.Request) (any, error) {
		var in v1.JoinTokenRequest
		if err := respond.Decode(w, r, &in); err != nil {
			return nil, err
		}
		return h.s.CreateJoinToken(r.Context(), in)
	})
	h.read("/v1/raft/peers", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		all, err := h.s.RaftPeers(r.Context())
		return list(all), err
	})
	h.write("POST", "/v1/raft/transfer", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		return nil, h.s.TransferLeadership(r.Context())
	})
	h.write("POST", "/v1/raft/promote", func(w http.ResponseWriter, r *http.Request) (any, error) {
		var in v1.PromoteRequest
		if err := respond.Decode(w, r, &in); err != nil {
			return nil, err
		}
		return nil, h.s.Promote(r.Context(), in.ID)
	})
}

func (h *handler) tokens() {
	h.read("/v1/tokens", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		all, err := h.s.Tokens(r.Context())
		return list(each(all, func(t gallery.AccessToken) v1.Token {
			return v1.Token{ID: string(t.ID), Name: t.Name, Principal: string(t.Owner), Created: t.Created, Expires: t.Expires}
		})), err
	})
	h.write("POST", "/v1/tokens", func(w http.ResponseWriter, r *http.Request) (any, error) {
		var in v1.TokenRequest
		if err := respond.Decode(w, r, &in); err != nil {
			return nil, err
		}
		return h.s.CreateToken(r.Context(), in)
	})
	h.write("DELETE", "/v1/tokens/{id}", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		return nil, h.s.DeleteToken(r.Context(), r.PathValue("id"))
	})
}

namespace AspireStreaming.ServiceDefaults.Auth;

/// <summary>The token that came in the query string.</summary>
internal sealed record AccessTokenFeature(string Token);

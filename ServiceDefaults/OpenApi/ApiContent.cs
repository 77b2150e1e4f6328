namespace AspireStreaming.ServiceDefaults.OpenApi;

/// <summary>A body in one media type.</summary>
/// <param name="MediaType">The media type.</param>
/// <param name="Schema">The type whose JSON it is; null for text.</param>
public sealed record ApiContent(string MediaType, Type? Schema = null);

namespace AspireStreaming.ServiceDefaults.OpenApi;

/// <summary>An operation as <c>/openapi/v1.json</c> describes it; what handlers read and write by hand cannot be seen in their code.</summary>
/// <param name="Method">The HTTP method.</param>
/// <param name="Path">The path with its parameters in braces.</param>
/// <param name="Summary">What it does, in a line.</param>
public sealed record ApiOperation(string Method, string Path, string Summary)
{
    /// <summary>The group that it is shown in.</summary>
    public string? Tag { get; init; }

    /// <summary>What else there is to say.</summary>
    public string? Description { get; init; }

    /// <summary>The claim that it needs to the stream, or <c>admin</c>; empty for any credential, null for none.</summary>
    public string? Claim { get; init; } = "";

    /// <summary>What it takes in the path, the query and headers.</summary>
    public IReadOnlyList<ApiParameter> Parameters { get; init; } = [];

    /// <summary>The body that it takes: media types and what they hold.</summary>
    public IReadOnlyList<ApiContent> Body { get; init; } = [];

    /// <summary>What it answers; 401 and 403 follow from <see cref="Claim"/> unless they are among these.</summary>
    public IReadOnlyList<ApiAnswer> Answers { get; init; } = [];
}

namespace AspireStreaming.ServiceDefaults.OpenApi;

/// <summary>What an operation answers with one status.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Description">When.</param>
/// <param name="Content">The body; none for a status from 400 on, which has a problem.</param>
public sealed record ApiAnswer(int Status, string Description, params ApiContent[] Content)
{
    private const string ProblemType = "urn:aspirestreaming:problem:";

    /// <summary>Headers that it has.</summary>
    public IReadOnlyList<string> Headers { get; init; } = [];

    /// <summary>A problem.</summary>
    /// <param name="status">The HTTP status.</param>
    /// <param name="slugs">The last parts of the <c>type</c>s that it may have.</param>
    public static ApiAnswer Problem(int status, params string[] slugs) =>
        new(status, "Problem with `type` " + string.Join(", ", slugs.Select(slug => $"`{ProblemType}{slug}`")) + ".")
        {
            Headers = status is 429 or 503 ? ["Retry-After"] : [],
        };
}

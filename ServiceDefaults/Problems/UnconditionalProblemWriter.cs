using Microsoft.AspNetCore.Http;

namespace AspireStreaming.ServiceDefaults.Problems;

/// <summary>
/// Writes the problem when the framework's writer does not, because the request accepts no JSON: an EventSource accepts
/// <c>text/event-stream</c> only, and its developer wants to read the reason all the same.
/// </summary>
internal sealed class UnconditionalProblemWriter : IProblemDetailsWriter
{
    public bool CanWrite(ProblemDetailsContext context) => true;

    public ValueTask WriteAsync(ProblemDetailsContext context) =>
        new(Results.Problem(context.ProblemDetails).ExecuteAsync(context.HttpContext));
}

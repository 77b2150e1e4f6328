using System.Diagnostics;
using Microsoft.AspNetCore.Http;

namespace AspireStreaming.ServiceDefaults.Problems;

/// <summary>
/// Writes the problem when the framework's writer does not, because the request accepts no JSON: an EventSource accepts
/// <c>text/event-stream</c> only, and its developer wants to read the reason all the same.
/// </summary>
internal sealed class UnconditionalProblemWriter : IProblemDetailsWriter
{
    public bool CanWrite(ProblemDetailsContext context) => true;

    public ValueTask WriteAsync(ProblemDetailsContext context)
    {
        var response = context.HttpContext.Response;
        context.ProblemDetails.Status ??= response.StatusCode;

        // The result is made for the type and title that it fills in; executed, it would come back here.
        var problem = TypedResults.Problem(context.ProblemDetails).ProblemDetails;
        problem.Extensions.TryAdd("traceId", Activity.Current?.Id ?? context.HttpContext.TraceIdentifier);
        return new ValueTask(response.WriteAsJsonAsync(
            problem, options: null, contentType: "application/problem+json", context.HttpContext.RequestAborted));
    }
}

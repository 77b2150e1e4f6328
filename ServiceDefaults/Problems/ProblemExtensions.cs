using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace AspireStreaming.ServiceDefaults.Problems;

internal static class ProblemExtensions
{
    public static void AddProblems(this IServiceCollection services)
    {
        services.AddProblemDetails();
        services.AddSingleton<IProblemDetailsWriter, UnconditionalProblemWriter>();
        services.Configure<ExceptionHandlerOptions>(options =>
        {
            // A request that cannot be read is the client's fault, with the status that Kestrel or the binder chose, and no
            // news for the log.
            options.StatusCodeSelector = exception =>
                exception is BadHttpRequestException bad ? bad.StatusCode : StatusCodes.Status500InternalServerError;
            options.SuppressDiagnosticsCallback = context => context.Exception is BadHttpRequestException;
        });
    }
}

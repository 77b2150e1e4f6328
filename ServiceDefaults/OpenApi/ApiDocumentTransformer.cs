using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace AspireStreaming.ServiceDefaults.OpenApi;

/// <summary>Writes the operations' descriptions into the document, and who may call them.</summary>
internal sealed class ApiDocumentTransformer(IEnumerable<ApiOperation> operations) : IOpenApiDocumentTransformer
{
    private const string BearerScheme = "bearer";
    private const string QueryScheme = "access_token";
    private const string CookieScheme = "cookie";
    private const string ApiKeyScheme = "apiKey";

    public async Task TransformAsync(OpenApiDocument document, OpenApiDocumentTransformerContext context, CancellationToken cancellationToken)
    {
        AddSchemes(document);
        var problem = await context.GetOrCreateSchemaAsync(typeof(ProblemDetails), null, cancellationToken);
        foreach (var operation in operations)
        {
            if (!document.Paths.TryGetValue(operation.Path, out var item))
            {
                document.Paths[operation.Path] = item = new OpenApiPathItem();
            }

            ((OpenApiPathItem)item).AddOperation(
                new HttpMethod(operation.Method), await DescribeAsync(operation, document, problem, context, cancellationToken));
        }

        // Those of the operations as generated are not used any more.
        document.Tags = document.Paths.Values
            .SelectMany(item => item.Operations?.Values.SelectMany(operation => operation.Tags ?? new HashSet<OpenApiTagReference>()) ?? [])
            .Select(tag => tag.Reference.Id)
            .OfType<string>()
            .Distinct(StringComparer.Ordinal)
            .Select(name => new OpenApiTag { Name = name })
            .ToHashSet();
    }

    private static void AddSchemes(OpenApiDocument document)
    {
        document.AddComponent<IOpenApiSecurityScheme>(BearerScheme, new OpenApiSecurityScheme
        {
            Type = SecuritySchemeType.Http,
            Scheme = "bearer",
            BearerFormat = "JWT",
            Description = "Claims: `publish` and `subscribe` are lists of stream patterns, `admin` is a boolean.",
        });
        document.AddComponent<IOpenApiSecurityScheme>(QueryScheme, new OpenApiSecurityScheme
        {
            Type = SecuritySchemeType.ApiKey,
            In = ParameterLocation.Query,
            Name = Auth.CallerCredential.QueryParameter,
            Description = "The same token in the query of a GET, for EventSource and WebSocket.",
        });
        document.AddComponent<IOpenApiSecurityScheme>(CookieScheme, new OpenApiSecurityScheme
        {
            Type = SecuritySchemeType.ApiKey,
            In = ParameterLocation.Cookie,
            Name = Auth.CallerCredential.Cookie,
            Description = "The same token in a cookie, for the service's own pages.",
        });
        document.AddComponent<IOpenApiSecurityScheme>(ApiKeyScheme, new OpenApiSecurityScheme
        {
            Type = SecuritySchemeType.ApiKey,
            In = ParameterLocation.Header,
            Name = Auth.CallerCredential.ApiKeyHeader,
        });
    }

    private static async Task<OpenApiOperation> DescribeAsync(
        ApiOperation operation,
        OpenApiDocument document,
        OpenApiSchema problem,
        OpenApiDocumentTransformerContext context,
        CancellationToken cancellationToken)
    {
        var described = new OpenApiOperation
        {
            Summary = operation.Summary,
            Description = operation.Description,
            Parameters = [.. operation.Parameters.Select(parameter => Describe(parameter, operation.Path))],
            Responses = [],
        };
        if (operation.Tag is { } tag)
        {
            described.Tags = new HashSet<OpenApiTagReference> { new(tag, document) };
        }

        if (operation.Body.Count > 0)
        {
            described.RequestBody = new OpenApiRequestBody
            {
                Required = true,
                Content = await DescribeAsync(operation.Body, context, cancellationToken),
            };
        }

        foreach (var answer in operation.Answers.UnionBy(Refusals(operation.Claim), answer => answer.Status).OrderBy(answer => answer.Status))
        {
            described.Responses[answer.Status.ToString(CultureInfo.InvariantCulture)] = new OpenApiResponse
            {
                Description = answer.Description,
                Content = answer.Status >= 400 && answer.Content.Length == 0
                    ? new Dictionary<string, OpenApiMediaType> { ["application/problem+json"] = new OpenApiMediaType { Schema = problem } }
                    : await DescribeAsync(answer.Content, context, cancellationToken),
                Headers = answer.Headers.ToDictionary(
                    name => name, IOpenApiHeader (_) => new OpenApiHeader { Schema = new OpenApiSchema { Type = JsonSchemaType.String } }),
            };
        }

        described.Security = operation.Claim is null ? [new OpenApiSecurityRequirement()] : Security(operation.Method, document);
        return described;
    }

    private static IEnumerable<ApiAnswer> Refusals(string? claim)
    {
        if (claim is null)
        {
            yield break;
        }

        yield return ApiAnswer.Problem(401, "unauthenticated");
        if (claim.Length > 0)
        {
            yield return new ApiAnswer(
                403, $"Problem with `type` `urn:aspirestreaming:problem:forbidden`: the claim `{claim}` is missing; `claim` and `stream` name it.");
        }
    }

    /// <summary>Each alone is enough.</summary>
    private static List<OpenApiSecurityRequirement> Security(string method, OpenApiDocument document)
    {
        string[] schemes = method == "GET" ? [BearerScheme, ApiKeyScheme, CookieScheme, QueryScheme] : [BearerScheme, ApiKeyScheme, CookieScheme];
        return [.. schemes.Select(scheme => new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(scheme, document)] = [] })];
    }

    private static OpenApiParameter Describe(ApiParameter parameter, string path)
    {
        var isInPath = !parameter.IsHeader && path.Contains($"{{{parameter.Name}}}", StringComparison.Ordinal);
        var schema = new OpenApiSchema { Type = JsonSchemaType.String };
        if (parameter.Range is { } range)
        {
            schema.Type = JsonSchemaType.Number;
            schema.Minimum = range.Least.ToString(CultureInfo.InvariantCulture);
            schema.Maximum = range.Most.ToString(CultureInfo.InvariantCulture);
        }

        if (parameter.Values.Count > 0)
        {
            schema.Enum = [.. parameter.Values.Select(value => JsonValue.Create(value)!)];
        }

        return new OpenApiParameter
        {
            Name = parameter.Name,
            Description = parameter.Description,
            In = isInPath ? ParameterLocation.Path : parameter.IsHeader ? ParameterLocation.Header : ParameterLocation.Query,
            Required = isInPath || parameter.IsRequired,
            Schema = parameter.IsRepeated ? new OpenApiSchema { Type = JsonSchemaType.Array, Items = schema } : schema,
            Explode = parameter.IsRepeated,
        };
    }

    private static async Task<Dictionary<string, OpenApiMediaType>> DescribeAsync(
        IReadOnlyList<ApiContent> content, OpenApiDocumentTransformerContext context, CancellationToken cancellationToken)
    {
        var described = new Dictionary<string, OpenApiMediaType>(StringComparer.Ordinal);
        foreach (var item in content)
        {
            described[item.MediaType] = new OpenApiMediaType
            {
                Schema = item.Schema is null
                    ? new OpenApiSchema { Type = JsonSchemaType.String }
                    : await context.GetOrCreateSchemaAsync(item.Schema, null, cancellationToken),
            };
        }

        return described;
    }
}

using System.Text.Json.Nodes;

namespace AspireStreaming.TestSupport;

/// <summary>What tests ask of an OpenAPI document.</summary>
public static class OpenApiFacts
{
    /// <summary>Its operations, as <c>GET /path</c>, in order.</summary>
    public static IEnumerable<string> OperationsOf(JsonNode document) =>
        Operations(document).Select(operation => $"{operation.Method.ToUpperInvariant()} {operation.Path}").Order(StringComparer.Ordinal);

    /// <summary>Fails where an operation leaves open what it takes, what it answers or who may call it.</summary>
    public static void AssertComplete(JsonNode document)
    {
        var schemes = document["components"]!["securitySchemes"]!.AsObject().Select(scheme => scheme.Key).ToHashSet();
        foreach (var (path, method, operation) in Operations(document))
        {
            var what = $"{method} {path}";
            Require(operation["summary"] is not null, what, "a summary");
            var responses = operation["responses"]!.AsObject();
            Require(responses.Any(response => response.Key[0] is '1' or '2'), what, "a success");
            Require(
                responses.All(response => response.Key[0] != '4' || response.Value!["content"]?["application/problem+json"]?["schema"] is not null),
                what,
                "a problem in each refusal");
            var security = operation["security"]!.AsArray();
            var isOpen = path is "/alive" or "/health";
            Require(isOpen || responses.ContainsKey("401"), what, "401");
            Require(
                isOpen ? security.All(item => item!.AsObject().Count == 0) : security.All(item => item!.AsObject().All(scheme => schemes.Contains(scheme.Key))),
                what,
                "its security");
            Require(isOpen || security.Count >= 3, what, "each kind of credential");
            var named = (operation["parameters"]?.AsArray() ?? []).ToLookup(parameter => (string)parameter!["in"]!, parameter => (string)parameter!["name"]!);
            foreach (var part in path.Split('/').Where(part => part.StartsWith('{')))
            {
                Require(named["path"].Contains(part.Trim('{', '}')), what, $"the parameter {part}");
            }

            Require(
                (operation["parameters"]?.AsArray() ?? []).All(parameter => parameter!["description"] is not null && parameter["schema"] is not null),
                what,
                "a meaning and a type of each parameter");
        }
    }

    private static void Require(bool condition, string operation, string what)
    {
        if (!condition)
        {
            throw new InvalidOperationException($"{operation} lacks {what}.");
        }
    }

    private static IEnumerable<(string Path, string Method, JsonNode Operation)> Operations(JsonNode document) =>
        document["paths"]!.AsObject().SelectMany(
            path => path.Value!.AsObject(), (path, operation) => (path.Key, operation.Key, operation.Value!));
}

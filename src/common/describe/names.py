"""What exports call the columns of our feeds, in English and a few other languages.

Names are compared by their letters and digits alone. Those of one line mean the same; where none of a line is there,
the next counts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

_NAMES = {
    "TRANSACTION_ID": """
        transactionid
        saleid orderlineid orderitemid lineitemid invoicelineid idvente verkaufsid
        orderid ordernumber orderno ordernr order invoiceno invoiceid invoicenumber invoice receiptid receiptnumber
            receiptno receipt billno billnumber ticketid ticketnumber salesorder amazonorderid documentnumber docno
            bestellnummer bestellnr bestellid bestellung auftragsnummer auftragsnr auftrag rechnungsnummer rechnungsnr
            rechnung belegnummer belegnr beleg bon bonnummer bonnr vbeln numerocommande nocommande commande
            numerofacture
            facture numeropedido pedido numerofactura factura numeroordine ordine scontrino bestelnummer bestelling
            ordrenummer numerzamowienia zamowienie
        paymentid transaction sale
        id
    """,
    "CUSTOMER_ID": """
        customerid
        customernumber customerno customernr custid custno clientid buyerid userid memberid accountid kundennummer
            kundennr kundenid kdnr kunnr debitor debitorennummer numeroclient idclient codeclient idcliente
            codigocliente codicecliente klantnummer klantid kundnr kundenummer
        customer client buyer kunde cliente klant
        email customeremail buyeremail billingemail emailaddress kundenemail
        id
    """,
    "PRODUCT_ID": """
        productid
        sku stockcode productcode productsku variantsku lineitemsku itemcode itemid itemnumber itemno itemsku
            articleid articleno articlenumber artikelnummer artikelnr artnr artikelid artikelcode materialnummer
            material matnr codearticle codeproduit idproduit refproduit codigoproducto idproducto codicearticolo
            codiceprodotto productcode produktnummer produktid varenummer
        asin ean gtin upc plu barcode reference referencia
        product item article artikel produkt produit article producto articulo prodotto articolo productname itemname
            lineitemname artikelbezeichnung bezeichnung
    """,
    "QUANTITY": """
        quantity
        qty lineitemquantity itemquantity quantitypurchased quantityordered orderedquantity quantitysold units
            unitssold count menge anzahl stuck stueck stueckzahl stuckzahl stk fkimg kwmeng quantite qte cantidad
            unidades quantita aantal antal ilosc quantidade
    """,
    "PRICE": """
        price
        unitprice lineitemprice priceperunit priceeach pricepereach itemcost unitcost sellingprice einzelpreis
            stuckpreis stueckpreis verkaufspreis vkpreis preis netpr prixunitaire prixunitaireht puht prix
            preciounitario precio prezzounitario prezzo stuksprijs prijs enhedspris precounitario preco cena
            cenajednostkowa
    """,
    "TRANSACTION_DATE": """
        transactiondate
        transactiontime transactiontimestamp transactiondatetime timestamp datetime createdat orderdate orderdatetime
            ordertime invoicedate saledate saledatetime soldat purchasedate purchasedat orderedat orderplacedat date
            day bestelldatum rechnungsdatum belegdatum verkaufsdatum auftragsdatum datum zeitpunkt zeitstempel
            erstelltam erdat fkdat datecommande datefacture datevente fecha fechahora fechapedido fechafactura
            fechaventa data dataora dataordine besteldatum dato ordredato datazamowienia
        paidat completedat processedat paymentdate time
    """,
    "NAME": """
        name
        customername fullname clientname buyername billingname kundenname vollername nomclient nomcomplet
            nombrecliente nombrecompleto nomecliente nomecompleto klantnaam naam nombre nome nom
        shippingname recipientname
        customer client buyer kunde cliente klant
    """,
    "AGE": """
        age
        customerage alter edad eta idade leeftijd alder wiek
    """,
    "COUNTRY": """
        country
        customercountry billingcountry countryname land pays pais paese kraj
        shippingcountry shipcountry countrycode
    """,
}
_TOTALS = """
    amount total linetotal itemprice itemtotal lineamount ordertotal subtotal netsales grosssales sales revenue
    totalprice gesamt gesamtpreis gesamtbetrag betrag summe zeilensumme umsatz netwr montant prixtotal importe totale
    totaal
"""
_TIMES_OF_DAY = "time timeofday zeit uhrzeit erzet heure hora ora tijd tid godzina"
_LINE_NUMBERS = "line lineno linenumber lineid linenr position pos positionsnr posnr zeile posten ligne linea regel"
_FIRST_NAMES = (
    "firstname customerfirstname billingfirstname givenname forename vorname prenom primernombre voornaam imie"
)
_LAST_NAMES = """
    lastname customerlastname billinglastname surname familyname nachname familienname apellido apellidos cognome
    achternaam nazwisko
"""
# Of orders that Shopify exports: what it calls their numbers.
_OF_SHOPIFY = ("lineitemquantity", "lineitemname")


def normalized(name: str) -> str:
    """The letters and digits of a name, small and without accents."""
    return "".join(char for char in unicodedata.normalize("NFKD", name.casefold()) if char.isalnum())


def _lines_of(text: str) -> list[list[str]]:
    """The words of each line; one that is further in goes on with the line before."""
    lines: list[list[str]] = []
    indents: list[int] = []
    for line in filter(str.strip, text.splitlines()):
        indent = len(line) - len(line.lstrip())
        indents.append(indent)
        if indent > min(indents):
            lines[-1] += line.split()
        else:
            lines.append(line.split())
    return lines


_BY_COLUMN = {column: _lines_of(text) for column, text in _NAMES.items()}
_KNOWN = {word for lines in _BY_COLUMN.values() for words in lines for word in words}


def is_known_name(name: str) -> bool:
    """Whether a name is one that exports have."""
    return normalized(name) in _KNOWN


def names_for(column: str, header: Sequence[str]) -> list[str]:
    """The names of the header that may be a column of ours: several where it cannot be told which one is meant."""
    by_name = {normalized(name): name for name in header if list(header).count(name) == 1}
    lines = _BY_COLUMN[column]
    if all(name in by_name for name in _OF_SHOPIFY):
        if column == "TRANSACTION_ID":
            lines = [lines[0], ["name"], *lines[1:]]
        elif column == "NAME":
            lines = lines[1:]
    for words in lines:
        found = [by_name[word] for word in dict.fromkeys(words) if word in by_name]
        if found:
            return found
    return []


def totals_in(header: Sequence[str]) -> list[str]:
    """Names that may be the money of all units of a line."""
    return _those_of(header, _TOTALS)


def times_of_day_in(header: Sequence[str]) -> list[str]:
    return _those_of(header, _TIMES_OF_DAY)


def line_numbers_in(header: Sequence[str]) -> list[str]:
    return _those_of(header, _LINE_NUMBERS)


def parts_of_name_in(header: Sequence[str]) -> list[str]:
    """The first and the last name; nothing where there are not both."""
    first, last = _those_of(header, _FIRST_NAMES), _those_of(header, _LAST_NAMES)
    return [first[0], last[0]] if first and last else []


def _those_of(header: Sequence[str], words: str) -> list[str]:
    wanted = words.split()
    return [name for name in header if normalized(name) in wanted]
